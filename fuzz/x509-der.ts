/**
 * Fuzz entry: any bytes as a DER certificate, the first thing that a stranger's TLS handshake makes us parse.
 * What is read lies within the input and can be printed; the same bytes read the same.
 */
import {
  extendedKeyUsageName,
  nameText,
  readCertificate,
  serialText,
  signatureName,
} from '../src/ssl/x509-der.ts';

/** A self-signed certificate with names in UTF-8, all key usages and alternative names that are read. */
const CERTIFICATE = [
  'MIICODCCAd6gAwIBAgIUdpYe9MZBsxDFa6ur7D6Pc5N1d+IwCgYIKoZIzj0EAwIwPzELMAkGA1UEBhMCREUxEjAQBgNVBAoMCUV4',
  'w6RtcGxlIDEcMBoGCSqGSIb3DQEJARYNYUBleGFtcGxlLm9yZzAgFw0yNjExMjMwNzIyMDNaGA8yMTI2MTAzMDA3MjIwM1owPzEL',
  'MAkGA1UEBhMCREUxEjAQBgNVBAoMCUV4w6RtcGxlIDEcMBoGCSqGSIb3DQEJARYNYUBleGFtcGxlLm9yZzBZMBMGByqGSM49AgEG',
  'CCqGSM49AwEHA0IABKNx0I9wkSt9mha1rtAGgrJAzIbL/SjcBDP6a/EwQZTIIsQLrwA2ZcUHT8+XyeTbh5GRhBnGrS31gatdcbM+',
  'DAGjgbUwgbIwHQYDVR0OBBYEFCdRLwS06OV9kUgjp7dS6CXwIpVzMB8GA1UdIwQYMBaAFCdRLwS06OV9kUgjp7dS6CXwIpVzMA8G',
  'A1UdEwEB/wQFMAMBAf8wGAYDVR0lBBEwDwYIKwYBBQUHAwIGAyoDBDALBgNVHQ8EBAMCB4AwJQYDVR0RBB4wHIENYUBleGFtcGxl',
  'Lm9yZ4ILdnBuLmV4YW1wbGUwEQYJYIZIAYb4QgEBBAQDAgeAMAoGCCqGSM49BAMCA0gAMEUCIQCdJGpSoZ0upT0weGna/NsiBGyT',
  'Jj+NoUMko5LBTMLbjgIgRQAp30lHX5D34QXJZjQWtxMwEj3qbmX7llm3clGi5BA=',
];

export const target = {
  name: 'x509-der',
  corpus: [Uint8Array.from(Buffer.from(CERTIFICATE.join(''), 'base64'))],
  run(bytes: Uint8Array): void {
    const before = Buffer.from(bytes);
    const fields = readCertificate(bytes);
    if (before.compare(bytes) !== 0) throw new Error('the input was changed');
    if (!fields) return;
    if (print(fields) !== print(readCertificate(bytes)!)) throw new Error('read differently the second time');
    for (const part of [fields.serialBytes, fields.issuerDer, fields.subjectDer]) {
      if (part.length === 0 || !before.includes(Buffer.from(part)))
        throw new Error('a part is not of the input');
    }
    if (Number.isNaN(fields.notBefore) || Number.isNaN(fields.notAfter)) throw new Error('a time is no time');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    if (/[\x00-\x1f\x7f]/.test(nameText(fields.subject))) throw new Error('a control character in a name');
  },
};

function print(fields: NonNullable<ReturnType<typeof readCertificate>>): string {
  return JSON.stringify({
    ...fields,
    serial: serialText(fields.serialBytes),
    text: [nameText(fields.issuer), nameText(fields.subject), signatureName(fields.signatureOid)],
    uses: fields.extendedKeyUsage?.map(extendedKeyUsageName),
  });
}
