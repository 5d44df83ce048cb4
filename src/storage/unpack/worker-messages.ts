import type { FaultCode } from "../../base/index.ts";
import type { UnpackedLayer } from "./layer-unpacking.ts";
import type { LayerVerifyingOptions, VerifiedLayer } from "./layer-verifying.ts";
import type { LayerLimits } from "./limits.ts";

/** What the main thread says to a layer worker. One job at a time; `chunks` and `end` belong to the last `unpack`. */
export type ToWorker =
  | {
      readonly is: "unpack";
      /** The empty directory that becomes the layer's tree, by its absolute path. */
      readonly directory: string;
      /** Files that do not exist yet. The scratch file is removed at once. */
      readonly tarSplitFile: string;
      readonly scratchFile: string;
      readonly limits: LayerLimits;
      readonly ignoreChownErrors: boolean;
    }
  /** Their buffers come with them: the worker may free them. */
  | { readonly is: "chunks"; readonly chunks: readonly Uint8Array[] }
  | { readonly is: "end" }
  | ({
      readonly is: "verify";
      /** The layer's tree, by its absolute path. */
      readonly directory: string;
      readonly tarSplitFile: string;
    } & Omit<LayerVerifyingOptions, "tarSplitFd">)
  | { readonly is: "remove"; readonly directory: string };

/** What a layer worker answers. A job ends with `unpacked`, `verified`, `removed` or `failed`, and the worker is free again. */
export type FromWorker =
  | { readonly is: "consumed"; readonly bytes: number }
  | { readonly is: "unpacked"; readonly layer: UnpackedLayer }
  | { readonly is: "verified"; readonly layer: VerifiedLayer }
  | { readonly is: "removed" }
  | { readonly is: "failed"; readonly code: FaultCode; readonly message: string };
