import { assertNever } from "../base/index.ts";

/**
 * Whether pods can be attached. `waiting` is before the first success; `failing` is still ready, by the grace period;
 * `lost` is ready no more.
 */
export type ReadinessState =
  | { readonly is: "waiting"; readonly why: string }
  | { readonly is: "ready" }
  | { readonly is: "failing"; readonly sinceMs: number; readonly why: string }
  | { readonly is: "lost"; readonly why: string };

/** One look: `why` is undefined when the network is ready. */
export interface Look {
  readonly why: string | undefined;
  readonly atMs: number;
}

/**
 * The state after a look. Once ready it stays ready when there is no grace period (`graceMs` 0); otherwise failures are borne
 * for that long since the first of them.
 */
export function nextReadiness(state: ReadinessState, { why, atMs }: Look, graceMs: number): ReadinessState {
  if (why === undefined) return { is: "ready" };
  switch (state.is) {
    case "waiting":
    case "lost":
      return { is: state.is, why };
    case "ready":
      return graceMs === 0 ? state : { is: "failing", sinceMs: atMs, why };
    case "failing":
      return atMs - state.sinceMs >= graceMs ? { is: "lost", why } : { ...state, why };
    default:
      return assertNever(state);
  }
}

/** How long until the next look; undefined when there is none to come. */
export function nextLookMs(state: ReadinessState, graceMs: number): number | undefined {
  if (state.is === "waiting") return 500;
  return graceMs > 0 ? 5000 : undefined;
}

export function isReady(state: ReadinessState): boolean {
  return state.is === "ready" || state.is === "failing";
}
