export const tester = {
  duty: "You are the tester. Add or extend tests for the change below, in test files only; other files are put back. Run them. Finish with a short summary.",
} as const;
