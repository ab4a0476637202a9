/** What each may send, in kbit/s: Selkies' own default. */
export const KBPS = 8000;
