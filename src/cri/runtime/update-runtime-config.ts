import type { UpdateRuntimeConfigRequest, UpdateRuntimeConfigResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";

/** UpdateRuntimeConfig: the kubelet tells the pod CIDR. CNI plugins know it from elsewhere, so it is accepted and not used. */
export function updateRuntimeConfig(): Unary<UpdateRuntimeConfigRequest, UpdateRuntimeConfigResponse> {
  return async () => ({});
}
