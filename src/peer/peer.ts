/**
 * Header of peer/: one peer behind one drive(), and the driver that runs many of them by one timer. Whoever owns a peer
 * implements PeerOwner; nobody else touches a control channel.
 *
 *   new Peer({ driver, address, createControl, createData, owner }), start() or handlePacket(), then drive(nowMs)
 *
 * tlsControl(config): makes its control channel over TLS.
 */
export { type CreateControl, tlsControl } from './controls.ts';
export { type Alarm, Driver } from './driver.ts';
export { type Answer, Peer, type PeerConfig, type PeerEvent, type PeerOwner } from './peer-machine.ts';
