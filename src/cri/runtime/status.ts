import { jsonText } from "../convert/json-text.ts";
import type { CriDeps } from "../deps.ts";
import { RuntimeHandler, type StatusRequest, StatusResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";

/** Status: whether pods can be run, and what the runtime handlers can do. Answered from memory (reference: cri.md 4.7). */
export function status({ pods, runtimeConfig }: CriDeps): Unary<StatusRequest, StatusResponse> {
  return async ({ verbose }) => {
    const network = pods.networks.status();
    const why = network.is === "ready" ? "" : network.why;
    const handlers = pods.handlers.list().map(handlerOf);
    const byDefault = handlers.find(({ name }) => name === pods.handlers.defaultName);
    return StatusResponse.fromPartial({
      status: {
        conditions: [
          { type: "RuntimeReady", status: true },
          {
            type: "NetworkReady",
            status: network.is === "ready",
            reason: why === "" ? "" : "NetworkPluginNotReady",
            message: why === "" ? "" : `Network plugin returns error: ${why}`,
          },
        ],
      },
      info: verbose ? { config: jsonText({ crio: runtimeConfig(), sandboxImage: pods.podOptions.pauseImage() }) } : {},
      runtimeHandlers: byDefault === undefined ? handlers : [...handlers, { ...byDefault, name: "" }],
      features: { supplementalGroupsPolicy: true },
    });
  };
}

function handlerOf(handler: { readonly name: string; readonly features: HandlerFeatures }): RuntimeHandler {
  return RuntimeHandler.fromPartial({
    name: handler.name,
    features: {
      recursiveReadOnlyMounts: handler.features.recursiveReadOnly,
      // A kubelet that believes otherwise admits pods whose volumes then fail for ever.
      userNamespaces: handler.features.idmappedMounts,
    },
  });
}

interface HandlerFeatures {
  readonly recursiveReadOnly: boolean;
  readonly idmappedMounts: boolean;
}
