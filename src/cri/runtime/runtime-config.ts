import type { CriDeps } from "../deps.ts";
import { CgroupDriver, type RuntimeConfigRequest, RuntimeConfigResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";

/** RuntimeConfig: which cgroup driver the kubelet must use too. */
export function runtimeConfig({ pods }: CriDeps): Unary<RuntimeConfigRequest, RuntimeConfigResponse> {
  return async () =>
    RuntimeConfigResponse.fromPartial({
      linux: { cgroupDriver: pods.cgroups.driver === "systemd" ? CgroupDriver.SYSTEMD : CgroupDriver.CGROUPFS },
    });
}
