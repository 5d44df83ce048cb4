import { parseReference } from "../../oci/index.ts";
import { bool, duration, list, parses, type Section, text } from "../option.ts";

/** `[crio.image]`: pulling images and what may be pulled. */
export const imageOptions = {
  default_transport: text("docker://", {
    flag: "default-transport",
    env: ["CONTAINER_DEFAULT_TRANSPORT"],
    notYet: "images come from registries alone",
    doc: `Where images come from when their name does not say: "docker://", a registry, is the only useful value.`,
  }),
  global_auth_file: text("", {
    isPath: true,
    flag: "global-auth-file",
    env: ["CONTAINER_GLOBAL_AUTH_FILE"],
    doc: `File with credentials for registries (the auth.json of podman login, or docker's config.json). When set, no other
      is consulted; when empty, the usual places are.`,
  }),
  namespaced_auth_dir: text("/etc/crio/auth", {
    flag: "namespaced-auth-dir",
    env: ["CONTAINER_NAMESPACED_AUTH_DIR"],
    hidden: true,
    check: absolute("namespaced_auth_dir"),
    doc: `Directory in which a credential provider leaves credentials for one image of one Kubernetes namespace; each file
      is used once. An absolute path.`,
  }),
  pause_image: text("registry.k8s.io/pause:3.10.1", {
    flag: "pause-image",
    env: ["CONTAINER_PAUSE_IMAGE"],
    reload: "live",
    check: (value) => {
      const problem = parses(parseReference)(value);
      return problem === undefined ? undefined : `invalid pause image ${JSON.stringify(value)}: ${problem}`;
    },
    doc: "Image of the infra (pause) container. It is pinned: the kubelet does not collect it.",
  }),
  pause_image_auth_file: text("", {
    isPath: true,
    flag: "pause-image-auth-file",
    env: ["CONTAINER_PAUSE_IMAGE_AUTH_FILE"],
    reload: "live",
    doc: "File with credentials for pulling pause_image only. Empty means global_auth_file.",
  }),
  pause_command: text("/pause", {
    flag: "pause-command",
    env: ["CONTAINER_PAUSE_COMMAND"],
    reload: "live",
    doc: "Command of the infra container. Empty means the entrypoint and command of pause_image.",
  }),
  pinned_images: list([], {
    flag: "pinned-images",
    env: ["CONTAINER_PINNED_IMAGES"],
    reload: "live",
    doc: `Images that the kubelet must not collect: a full name, a prefix ending in "*", or a keyword between two "*".
      Upper and lower case count as equal. pause_image is always pinned.`,
  }),
  signature_policy: text("", {
    isPath: true,
    flag: "signature-policy",
    env: ["CONTAINER_SIGNATURE_POLICY"],
    doc: `Signature policy (policy.json) that pulled images must meet. Empty means ~/.config/containers/policy.json, or else
      /etc/containers/policy.json.`,
  }),
  signature_policy_dir: text("/etc/crio/policies", {
    flag: "signature-policy-dir",
    env: ["CONTAINER_SIGNATURE_POLICY_DIR"],
    check: absolute("signature_policy_dir"),
    doc: `Directory with signature policies for single Kubernetes namespaces, as <namespace>.json; where there is one, it
      takes the place of signature_policy. An absolute path.`,
  }),
  insecure_registries: list([], {
    flag: "insecure-registry",
    env: ["CONTAINER_INSECURE_REGISTRY"],
    deprecated: "set insecure = true for the registry in /etc/containers/registries.conf",
    doc: "Has no effect.",
  }),
  image_volumes: text("mkdir", {
    flag: "image-volumes",
    env: ["CONTAINER_IMAGE_VOLUMES"],
    check: (value) =>
      ["mkdir", "bind", "ignore"].includes(value)
        ? undefined
        : `unrecognized image volume type specified: ${JSON.stringify(value)} (must be mkdir, bind or ignore)`,
    doc: `What becomes of the volumes an image declares: "mkdir" makes the directory in the container, "bind" mounts one
      that lasts as long as the container, "ignore" does nothing.`,
  }),
  big_files_temporary_dir: text("", {
    isPath: true,
    flag: "big-files-temporary-dir",
    env: ["CONTAINER_BIG_FILES_TEMPORARY_DIR"],
    notYet: "layers are unpacked as they come, in the store",
    doc: "Directory for large temporary files of a pull. Empty means /var/tmp.",
  }),
  auto_reload_registries: bool(false, {
    flag: "auto-reload-registries",
    env: ["AUTO_RELOAD_REGISTRIES"],
    doc: "Whether the registries configuration is read again as soon as a file in registries.conf.d changes.",
  }),
  pull_progress_timeout: duration(0, {
    flag: "pull-progress-timeout",
    env: ["CONTAINER_PULL_PROGRESS_TIMEOUT"],
    doc: `How long a pull may go on without receiving anything before it is given up. Progress is logged ten times as
      often. Zero turns both off.`,
  }),
  oci_artifact_mount_support: bool(true, {
    flag: "oci-artifact-mount-support",
    env: ["CONTAINER_OCI_ARTIFACT_SUPPORT"],
    doc: "Whether OCI artifacts can be mounted into containers as image volumes.",
  }),
  short_name_mode: text("enforcing", {
    flag: "short-name-mode",
    env: ["CONTAINER_SHORT_NAME_MODE"],
    check: (value) =>
      ["enforcing", "disabled", ""].includes(value)
        ? undefined
        : `invalid short name mode ${JSON.stringify(value)}: must be enforcing or disabled`,
    doc: `What to do with an image name without a registry that has no alias: "enforcing" refuses it when several registries
      are searched, "disabled" tries them in turn.`,
  }),
} satisfies Section;

function absolute(key: string): (path: string) => string | undefined {
  return (path) => (path.startsWith("/") ? undefined : `${key} is not an absolute path: ${JSON.stringify(path)}`);
}
