import type { CriDeps } from "../deps.ts";
import type { VersionRequest, VersionResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";

/** Version: what runtime this is (reference: cri.md 4.7). The version in the request is the kubelet's, and of no use. */
export function version(deps: CriDeps): Unary<VersionRequest, VersionResponse> {
  return async () => ({
    version: "0.1.0",
    runtimeName: "cri-o",
    runtimeVersion: deps.runtimeVersion,
    runtimeApiVersion: "v1",
  });
}
