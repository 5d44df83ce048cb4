/**
 * What a client may make us hold or do. Everything that a client sends is hostile; whatever is beyond these numbers is
 * refused or waits in the kernel's socket buffers, where TCP makes the client wait.
 */
export const limits = {
  /** Clients served at once; beyond it a request is answered 429 and its URL stays good. */
  sessions: 2000,
  /** Sockets at once, those without a valid URL included. */
  sockets: 4000,
  /** How long a socket may take to say what it wants. */
  requestHeadMs: 10_000,
  /** Bytes of all commands in requests that wait for their client; one command may be an eighth of it. */
  waitingBytes: 16 << 20,

  /** Bytes that arrived on one stream and were not read yet. It is also the window that SPDY clients are told. */
  inboxBytes: 256 << 10,
  /** The same for all streams of a connection together. */
  connectionInboxBytes: 2 << 20,
  /** What a piece of data counts besides its bytes: a flood of one-byte pieces costs objects, not bytes. */
  pieceCost: 128,
  /** Bytes written by the backend to one stream that wait to be sent; two pieces of this size at most. */
  outboxBytes: 64 << 10,
  /** Bytes handed to a socket and not taken by the kernel yet, beyond which nothing is added. */
  unsentBytes: 256 << 10,

  /** Bytes carried in one turn of the event loop for all sessions together: some 3 ms. */
  turnBytes: 1 << 20,
  /** What a piece of data or a frame counts besides its bytes there: handling it takes as long as copying so many. */
  turnPieceCost: 4 << 10,

  /** Payload of a SPDY control frame. Data frames are passed on as they arrive and need no limit. */
  controlFrameBytes: 16 << 10,
  /** A header block after decompression, and the number of its headers. */
  headerBlockBytes: 16 << 10,
  headers: 32,
  settings: 64,
  /** Control frames that no data pays for (PING, SETTINGS, HEADERS …): so many at once, then so many a second. */
  controlBurst: 1000,
  controlPerSecond: 200,
  /** Streams of one connection that executes or attaches (it needs five), and of one that forwards ports (two a piece). */
  commandStreams: 8,
  forwardStreams: 1000,

  /** A WebSocket message, which has to be held whole. */
  webSocketMessageBytes: 16 << 20,
  /** A terminal size in JSON. */
  resizeBytes: 1024,

  /** How long a client may take to read the end of a session and close its side. */
  lingerMs: 5_000,
  /** Bytes that are still read from a client that broke the rules, so that it gets to know why it is cut off. */
  lastBytes: 1 << 20,
  /** While nothing is read from a client, since the backend does not read, it is asked this often whether it is there. */
  probeMs: 10_000,
} as const;
