/** What crio says of itself in help and manual. */
export const about = {
  name: "crio",
  summary: "the Kubernetes container runtime CRI-O, in TypeScript",
  description:
    `Runs the containers of Kubernetes pods: serves the Container Runtime Interface to the kubelet, keeps images in
    containers/storage, connects pods by CNI and runs them by any OCI runtime. Configuration, command line and files on disk are
    those of CRI-O. Without a command it runs as the daemon.`.replace(/\s+/g, " "),
  usage: "crio [global options] [command [command options] [arguments...]]",
  author: "the crio-ts contributors",
} as const;
