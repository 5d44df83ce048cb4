import { Fault } from "../base/index.ts";
import { cleanPath, isWithin, refuseNul } from "./paths.ts";
import type { ReadyMount } from "./plan.ts";

/** A mount whose source is known. */
export type SourcedMount = ReadyMount & { readonly source: string };

/** An image as a volume: an overlay without an upper directory, hence read-only, over an empty one, since it takes two. */
export function imageMount(
  destination: string,
  { path, emptyDirectory }: { readonly path: string; readonly emptyDirectory: string },
): SourcedMount {
  const lowers = [path, emptyDirectory].map(lowerdirText).join(":");
  return { destination, type: "overlay", source: "overlay", options: [`lowerdir=${lowers}`] };
}

/**
 * An image as a volume of a pod with users of its own: a runtime in its user namespace has no way to the directories of an overlay, but
 * binds what it is shown. It cannot take away what the mount forbids, and older runc tries to unless that is said again.
 */
export function mappedImageMount(destination: string, path: string): SourcedMount {
  return { destination, type: "bind", source: path, options: ["rbind", "rprivate", "nodev", "nosuid", "ro", "bind"] };
}

/**
 * The named files of an artifact as read-only binds below `destination`; with a sub path, only those below it. Names come from
 * the artifact's manifest, so none leads out of the destination. Rejects with Fault("invalid") when a sub path matches nothing.
 */
export function artifactMounts(
  destination: string,
  artifact: {
    readonly files: readonly { readonly name: string; readonly path: string }[];
    readonly subPath: string;
    readonly image: string;
  },
): readonly SourcedMount[] {
  const directory = cleanPath(artifact.subPath);
  const found = artifact.files.flatMap(({ name, path }) => {
    refuseNul(name, "a file name of the artifact");
    const inside = cleanPath(name);
    const below = directory === "/" ? inside : inside.slice(directory.length);
    if (!isWithin(inside, directory) || inside === "/") return [];
    return [{ destination: cleanPath(destination + below), type: "bind", source: path, options: ["bind", "ro"] }];
  });
  if (found.length === 0 && artifact.subPath !== "") {
    const { subPath, image } = artifact;
    throw new Fault("invalid", `sub path "${subPath}" does not exist in OCI artifact volume "${image}"`);
  }
  return found;
}

/** In the option text a colon separates directories and a comma options; both may be part of a sub path. */
function lowerdirText(path: string): string {
  return path.replace(/[\\:,]/g, "\\$&");
}
