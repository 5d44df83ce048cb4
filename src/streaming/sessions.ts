import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { type Logger, reasonOf } from "../base/index.ts";
import type { AttachRequest, ExecRequest, PortForwardRequest, StreamingBackend } from "./backend.ts";
import { type Command, serveCommand } from "./command.ts";
import type { CommandChannels } from "./command-channels.ts";
import { listOf, type Refusal, refuse, switchToSpdy, upgradeOf } from "./http.ts";
import { openSpdyCommand, spdyCommandProtocols } from "./spdy/command.ts";
import { serveSpdyForward, spdyForwardProtocol } from "./spdy/forward.ts";
import { statusOfExit } from "./status.ts";
import { openWebSocketCommand } from "./websocket/command.ts";
import { serveWebSocketForward } from "./websocket/forward.ts";
import { chooseProtocol, commandProtocols, forwardProtocols, tunnelProtocol } from "./websocket/protocols.ts";
import { tunnelStream } from "./websocket/tunnel.ts";
import { createWebSocketUpgrader } from "./websocket/upgrade.ts";

/** A request that a client came for. */
export type Work =
  | { readonly is: "exec"; readonly request: ExecRequest }
  | { readonly is: "attach"; readonly request: AttachRequest }
  | { readonly is: "portforward"; readonly request: PortForwardRequest };

/** A connection that HTTP has let go of. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What came after the request. */
  readonly head: Buffer;
}

export interface SessionsOptions {
  readonly backend: StreamingBackend;
  readonly log: Logger;
  readonly idleTimeoutMs: number;
  readonly creationTimeoutMs: number;
  readonly probeMs: number;
  /** Ends all sessions. */
  readonly signal: AbortSignal;
}

export interface Sessions {
  /** Those that have not ended, for the client or for the backend. */
  readonly count: number;
  /** Serves a client until both sides are done with it. Never rejects. */
  serve(work: Work, upgrade: Upgrade): Promise<void>;
  /** Waits until all have ended, at most `timeoutMs`. */
  ended(timeoutMs: number): Promise<void>;
}

export function createSessions(options: SessionsOptions): Sessions {
  const { backend, log } = options;
  const running = new Set<Promise<void>>();
  const upgrader = createWebSocketUpgrader();

  async function serve(work: Work, upgrade: Upgrade): Promise<void> {
    const kind = upgradeOf(upgrade.request);
    if (kind === undefined) return refuse(upgrade.socket, badUpgrade);
    if (work.is !== "portforward") return await serveOneCommand(work, upgrade, kind);
    return kind === "spdy"
      ? await forwardOverSpdy(work.request, upgrade)
      : await forwardOverWebSocket(work.request, upgrade);
  }

  async function serveOneCommand(
    work: Work & { readonly is: "exec" | "attach" },
    upgrade: Upgrade,
    kind: "spdy" | "websocket",
  ): Promise<void> {
    const channels =
      kind === "spdy"
        ? await commandOverSpdy(work.request, upgrade)
        : await commandOverWebSocket(work.request, upgrade);
    if (channels === undefined) return;
    await serveCommand(channels, commandOf(work), log.with({ container: work.request.containerId, session: work.is }));
  }

  function commandOf(work: Work & { readonly is: "exec" | "attach" }): Command {
    if (work.is === "exec") {
      return {
        failure: "error executing command in container",
        run: async (session) => statusOfExit((await backend.exec(work.request, session)).exitCode),
      };
    }
    return {
      failure: "error attaching to container",
      run: async (session) => {
        await backend.attach(work.request, session);
        return statusOfExit(0);
      },
    };
  }

  async function commandOverSpdy(
    selection: AttachRequest,
    { request, socket, head }: Upgrade,
  ): Promise<CommandChannels | undefined> {
    const offered = listOf(request.headers["x-stream-protocol-version"]);
    const protocol = spdyProtocol(offered, spdyCommandProtocols, "channel.k8s.io");
    if (typeof protocol !== "string") {
      refuse(socket, protocol);
      return undefined;
    }
    switchToSpdy(socket, offered.length === 0 ? undefined : protocol);
    if (head.length > 0) socket.unshift(head);
    return await openSpdyCommand(socket, { ...options, protocol, selection });
  }

  async function commandOverWebSocket(
    selection: AttachRequest,
    upgrade: Upgrade,
  ): Promise<CommandChannels | undefined> {
    const opened = await openWebSocket(upgrade, [...commandProtocols.keys()]);
    const protocol = opened === undefined ? undefined : commandProtocols.get(opened.name);
    if (opened === undefined || protocol === undefined) return undefined;
    return openWebSocketCommand(opened.socket, { ...options, protocol, selection });
  }

  async function forwardOverSpdy({ podId }: PortForwardRequest, { request, socket, head }: Upgrade): Promise<void> {
    const offered = listOf(request.headers["x-stream-protocol-version"]);
    const protocol = spdyProtocol(offered, [spdyForwardProtocol], spdyForwardProtocol);
    if (typeof protocol !== "string") return refuse(socket, protocol);
    switchToSpdy(socket, offered.length === 0 ? undefined : protocol);
    if (head.length > 0) socket.unshift(head);
    await serveSpdyForward(socket, { ...options, podId });
  }

  async function forwardOverWebSocket({ podId, ports = [] }: PortForwardRequest, upgrade: Upgrade): Promise<void> {
    const opened = await openWebSocket(upgrade, [tunnelProtocol, ...forwardProtocols.keys()]);
    if (opened === undefined) return;
    const { socket, name } = opened;
    const protocol = forwardProtocols.get(name);
    if (protocol === undefined) await serveSpdyForward(tunnelStream(socket), { ...options, podId });
    else await serveWebSocketForward(socket, { ...options, podId, ports, protocol });
  }

  async function openWebSocket({ request, socket, head }: Upgrade, ours: readonly string[]) {
    const offered = request.headers["sec-websocket-protocol"];
    const name = chooseProtocol(offered, ours);
    if (name === undefined) {
      const text = `requested protocol(s) are not supported: [${offered}]; supports [${ours.join(" ")}]`;
      refuse(socket, { status: 403, text });
      return undefined;
    }
    const webSocket = await upgrader.upgrade(request, socket, head, name);
    return webSocket === undefined ? undefined : { name, socket: webSocket };
  }

  return {
    get count() {
      return running.size;
    },
    async serve(work, upgrade) {
      const session = serve(work, upgrade)
        .catch((error) => {
          log.debug("streaming session not served", { session: work.is, error: reasonOf(error) });
          upgrade.socket.destroy();
        })
        .finally(() => running.delete(session));
      running.add(session);
      await session;
    },
    async ended(timeoutMs) {
      const all = Promise.allSettled([...running]);
      await Promise.race([all, pause(timeoutMs, undefined, { ref: false })]);
    },
  };
}

const badUpgrade: Refusal = { status: 400, text: "unable to upgrade: missing upgrade headers in request" };

/** The first of the client's versions that is ours; `unnamed` when it names none. */
function spdyProtocol<P extends string>(offered: readonly string[], ours: readonly P[], unnamed: P): P | Refusal {
  if (offered.length === 0) return unnamed;
  const chosen = offered.map((name) => ours.find((each) => each === name)).find((name) => name !== undefined);
  if (chosen !== undefined) return chosen;
  const [clients, servers] = [offered.join(" "), ours.join(" ")];
  return {
    status: 403,
    text: `unable to upgrade: unable to negotiate protocol: client supports [${clients}], server accepts [${servers}]`,
    headers: { "X-Accepted-Stream-Protocol-Versions": ours.join(", ") },
  };
}
