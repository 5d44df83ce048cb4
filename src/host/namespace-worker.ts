/** The code of the namespace worker thread: see `namespaces.ts`. */

import { Homeless } from "./homeless.ts";
import type { InterfaceCounters } from "./interface-counters.ts";
import type { NamespacePins, NamespacePlan } from "./namespace-plan.ts";
import { createNamespaces, interfacesIn, openHome, pinHostNamespaces, tcpSocketIn } from "./namespace-steps.ts";
import { serveRequests } from "./worker-port.ts";

export type NamespaceRequest =
  | { readonly op: "hello" }
  | { readonly op: "create"; readonly plan: NamespacePlan }
  | { readonly op: "pin-host"; readonly pins: NamespacePins }
  | { readonly op: "interfaces"; readonly path: string }
  | { readonly op: "tcp-socket"; readonly path: string; readonly family: 4 | 6 };

export type NamespaceReply =
  | { readonly op: "done" }
  | { readonly op: "interfaces"; readonly interfaces: readonly InterfaceCounters[] }
  | { readonly op: "socket"; readonly fd: number };

const home = openHome();

serveRequests(answer, (error) => error instanceof Homeless);

function answer(request: NamespaceRequest): NamespaceReply {
  switch (request.op) {
    case "hello":
      return { op: "done" };
    case "create":
      createNamespaces(home, request.plan);
      return { op: "done" };
    case "pin-host":
      pinHostNamespaces(request.pins);
      return { op: "done" };
    case "interfaces":
      return { op: "interfaces", interfaces: interfacesIn(home, request.path) };
    case "tcp-socket":
      return { op: "socket", fd: tcpSocketIn(home, request.path, request.family) };
  }
}
