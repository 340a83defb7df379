/**
 * The floors of the house (docs/architecture.md): which folder may import which. Run by npm test and
 * npm run check; every rule says in its comment why it is there.
 */
const FLOORS = [
  ['base'],
  ['crypto', 'comp', 'options'],
  ['reliable', 'ssl', 'forward', 'push'],
  ['socket', 'tun', 'route', 'script', 'manage', 'native'],
  ['peer'],
  ['multi', 'mudp', 'mtcp'],
  ['init'],
  ['cli'],
];
const TESTS = String.raw`[.-](test|conformance)\.ts$`;
/** Files that wrap a part of Node or of an operating system behind an interface of their folder. */
const OUTSIDE = String.raw`-(node|native|linux|darwin|freebsd|win32)[a-z-]*\.ts$`;
/** Second headers: what 2.x keeps in a header of its own too (ssl_backend.h, errlevel.h), and what knows Node beside a pure one. */
const SECOND_HEADERS = ['ssl/ssl-backend', 'base/errlevel', 'base/module-node'].map(
  (name) => `^src/${name}\\.ts$`,
);
const NATIVE_LOADER = '^src/native/native\\.ts$';

const folders = (names) => `^src/(${names.join('|')})/`;

const upward = FLOORS.slice(0, -1).map((names, floor) => ({
  name: `floor-${floor}-imports-down`,
  comment: `Floor ${floor} (${names.join(', ')}) stands below the others: an import upwards would make the pure part depend on its users.`,
  severity: 'error',
  from: { path: folders(names), pathNot: TESTS },
  to: { path: [folders(FLOORS.slice(floor + 1).flat()), '^src/index\\.ts$'], pathNot: NATIVE_LOADER },
}));

module.exports = {
  forbidden: [
    ...upward,
    {
      name: 'headers-only',
      comment:
        'Other folders import a folder through its header (src/X/X.ts), so its inside can change. Only init/ and index.ts, which choose the backends, and tests look inside.',
      severity: 'error',
      from: { path: '^src/([^/]+)/', pathNot: ['^src/init/', TESTS] },
      to: { path: '^src/[^/]+/', pathNot: ['^src/$1/', String.raw`^src/([^/]+)/\1\.ts$`, ...SECOND_HEADERS] },
    },
    {
      name: 'pure-floors-without-node',
      comment:
        'Floors 0 to 2 are machines fed with bytes and time; Node is reached from floor 3 up, and in files whose name says so.',
      severity: 'error',
      from: { path: folders(FLOORS.slice(0, 3).flat()), pathNot: [TESTS, OUTSIDE] },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'native-behind-interfaces',
      comment:
        'The addon is one backend among others: only files that are named as such, and the programs that report on it, may know that it exists.',
      severity: 'error',
      from: { path: '^src/', pathNot: [TESTS, OUTSIDE, '^src/(native|init|cli)/'] },
      to: { path: NATIVE_LOADER },
    },
    {
      name: 'no-cycles',
      comment:
        'Modules that need each other at load time cannot be read, tested or replaced alone. Types may point back.',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'product-without-tests',
      comment: 'What is shipped must not need test code.',
      severity: 'error',
      from: { path: '^src/', pathNot: TESTS },
      to: { path: [TESTS, '^(test-kit|compat-tests|bench|fuzz|examples)/'] },
    },
    {
      name: 'tools-without-product',
      comment: 'Compat tests and bench start programs; importing the product would test it against itself.',
      severity: 'error',
      from: { path: '^(compat-tests|bench)/', pathNot: '^compat-tests/native/' },
      to: { path: '^src/' },
    },
    {
      name: 'resolvable',
      comment: 'An import that finds nothing fails at run time.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'runtime-dependencies',
      comment: 'What src/ loads must come with the installed package.',
      severity: 'error',
      from: { path: '^src/', pathNot: TESTS },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
    skipAnalysisNotInRules: true,
  },
};
