/** Where a node finds the folder for profiles, when they are wanted. */
export const profileTarget = "/var/profiles";
