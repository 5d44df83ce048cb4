export { debianMirror, mirrorFrom } from "./mirror.ts";
export { userland, userlandKey } from "./userland.ts";
