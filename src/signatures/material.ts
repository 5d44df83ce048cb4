import { Fault, reasonOf } from "../base/index.ts";
import { readBounded } from "../host/index.ts";
import type { Material } from "./requirement.ts";

const maxMaterialBytes = 4 * 1024 * 1024;

/** A keyring or the like, as it is. */
export async function readMaterial(material: Material): Promise<Buffer> {
  if (material.is === "data") return material.bytes;
  try {
    return await readBounded(material.path, maxMaterialBytes);
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault("failed", `reading ${material.path}, which the signature policy names: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
