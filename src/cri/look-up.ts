import { status } from "@grpc/grpc-js";
import { isFault, reasonOf } from "../base/index.ts";
import { findContainer } from "../containers/index.ts";
import { findPod, type PodDeps } from "../pods/index.ts";
import type { Container, Pod } from "../state/index.ts";
import { RpcFault } from "./status.ts";

/* What an id in a request means, for the calls whose failed look-ups the kubelet knows by the code NotFound (reference: cri.md 1). */

/** The pod of a request. Rejects with NotFound for whatever is wrong with the id. */
export function requestedPod(deps: PodDeps, id: string): Pod {
  return orNotFound(`could not find pod ${quoted(id)}: `, () => findPod(deps, id));
}

/** The container of a request. Rejects with NotFound for whatever is wrong with the id. */
export function requestedContainer(deps: PodDeps, id: string): Container {
  return orNotFound(`could not find container ${quoted(id)}: `, () => findContainer(deps, id));
}

/** The container of a call that is done already when there is none: undefined then. Rejects with NotFound for an id that is none. */
export function remainingContainer(deps: PodDeps, id: string): Container | undefined {
  try {
    return requestedContainer(deps, id);
  } catch (error) {
    if (error instanceof RpcFault && isFault(error.cause, "not-found")) return undefined;
    throw error;
  }
}

/** Runs `work`; its failure becomes NotFound, with `prefix` before its text. */
export function orNotFound<T>(prefix: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new RpcFault(status.NOT_FOUND, `${prefix}${reasonOf(error)}`, { cause: error });
  }
}

/** An id as an error repeats it: what is longer than any id is cut. */
export function shownId(id: string): string {
  return id.slice(0, 80);
}

function quoted(id: string): string {
  return JSON.stringify(shownId(id));
}
