export const auditor = {
  duty: "You are the auditor. Look for security holes, data loss and other risks that the change below brings. Change nothing.",
} as const;
