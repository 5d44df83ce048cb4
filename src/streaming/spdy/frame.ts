/** SPDY/3.1 (draft 3.1), section 2.6: the control frames. */
export const frameType = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

export const flag = { fin: 1, unidirectional: 2 } as const;

export const settingId = { maxConcurrentStreams: 4, initialWindowSize: 7 } as const;

/** Why a stream is cut off (RST_STREAM). */
export const resetStatus = {
  protocolError: 1,
  invalidStream: 2,
  refusedStream: 3,
  cancel: 5,
  internalError: 6,
  streamAlreadyClosed: 9,
} as const;
export type ResetStatus = (typeof resetStatus)[keyof typeof resetStatus];

/** Why a connection ends (GOAWAY). */
export const goAwayStatus = { ok: 0, protocolError: 1, internalError: 2 } as const;
export type GoAwayStatus = (typeof goAwayStatus)[keyof typeof goAwayStatus];

export const version = 3;
/** The window of a connection and, until SETTINGS says otherwise, of a stream. */
export const defaultWindow = 64 << 10;
export const maxWindow = 0x7fffffff;
export const maxStreamId = 0x7fffffff;

/** The eight bytes before `length` bytes of data. */
export function dataHeader(streamId: number, length: number, flags: number): Buffer {
  const header = Buffer.allocUnsafe(8);
  header.writeUInt32BE(streamId, 0);
  header.writeUInt32BE(flags * 0x1000000 + length, 4);
  return header;
}

export function controlFrame(type: number, flags: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(8 + payload.length);
  frame.writeUInt16BE(0x8000 | version, 0);
  frame.writeUInt16BE(type, 2);
  frame.writeUInt32BE(flags * 0x1000000 + payload.length, 4);
  frame.set(payload, 8);
  return frame;
}

export function rstStreamFrame(streamId: number, status: ResetStatus): Buffer {
  return controlFrame(frameType.rstStream, 0, words(streamId, status));
}

export function pingFrame(id: number): Buffer {
  return controlFrame(frameType.ping, 0, words(id));
}

export function goAwayFrame(lastStreamId: number, status: GoAwayStatus): Buffer {
  return controlFrame(frameType.goAway, 0, words(lastStreamId, status));
}

export function windowUpdateFrame(streamId: number, delta: number): Buffer {
  return controlFrame(frameType.windowUpdate, 0, words(streamId, delta));
}

export function settingsFrame(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  return controlFrame(frameType.settings, 0, words(settings.length, ...settings.flat()));
}

export function synReplyFrame(streamId: number, headerBlock: Uint8Array): Buffer {
  return controlFrame(frameType.synReply, 0, Buffer.concat([words(streamId), headerBlock]));
}

/** Big-endian 32-bit words. */
export function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4);
  return bytes;
}
