/** Who plays which role; "ours-both" proves that we also talk to ourselves. */
export const PAIRINGS = ['ours-client', 'ours-server', 'ours-both'] as const;
export type Pairing = (typeof PAIRINGS)[number];
