export type {
  AttachRequest,
  CommandSession,
  ExecOutcome,
  ExecRequest,
  ForwardRequest,
  PortForwardRequest,
  StreamingBackend,
  StreamSelection,
  TerminalSize,
} from "./backend.ts";
export { createStreamingServer, type StreamingServer, type StreamingServerOptions } from "./server.ts";
