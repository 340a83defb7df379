/** The 2.x release whose texts and defaults this program follows; scripts decide by it. */
export const OPENVPN_VERSION = '2.6.14';
