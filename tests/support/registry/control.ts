import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { type Answer, errorAnswer, jsonAnswer } from "./answer.ts";
import type { AuthRule } from "./auth.ts";
import type { FaultRule } from "./faults.ts";
import type { SeenRequest } from "./server.ts";

/** Requests below this path steer the registry; no fault touches them. */
export const controlPath = "/_control/";

export interface Controls {
  setFaults(rules: readonly FaultRule[]): void;
  setAuth(rules: readonly AuthRule[]): void;
  takeRequests(): SeenRequest[];
}

/** PUT /_control/faults, PUT /_control/auth: JSON lists of rules; GET /_control/requests: what was asked since the last time. */
export async function answerControl(controls: Controls, request: IncomingMessage, url: URL): Promise<Answer> {
  switch (`${request.method} ${url.pathname.slice(controlPath.length)}`) {
    case "PUT faults":
      controls.setFaults(JSON.parse(await text(request)) as FaultRule[]); // from our own tests
      return jsonAnswer(200, {});
    case "PUT auth":
      controls.setAuth(JSON.parse(await text(request)) as AuthRule[]);
      return jsonAnswer(200, {});
    case "GET requests":
      return jsonAnswer(200, controls.takeRequests());
    default:
      return errorAnswer(404, "UNSUPPORTED", `no such control ${url.pathname}`);
  }
}

/** The controls of a registry in another process, by default those of the node that the caller runs in. */
export function registryControl(address: string = process.env.CRIO_TS_REGISTRY ?? "127.0.0.1:5000"): {
  setFaults(rules: readonly FaultRule[]): Promise<void>;
  setAuth(rules: readonly AuthRule[]): Promise<void>;
  takeRequests(): Promise<readonly SeenRequest[]>;
} {
  const call = async (method: string, name: string, body?: unknown): Promise<unknown> => {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    const response = await fetch(`http://${address}${controlPath}${name}`, {
      ...init,
      signal: AbortSignal.timeout(10_000),
    });
    if (!response.ok) throw new Error(`registry control ${name}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  return {
    setFaults: async (rules) => void (await call("PUT", "faults", rules)),
    setAuth: async (rules) => void (await call("PUT", "auth", rules)),
    takeRequests: async () => (await call("GET", "requests")) as readonly SeenRequest[],
  };
}
