/** What would be done about a fault, asked before; `run` gives what was done, or why nothing was. */
export type Act = { title: string; run: () => Promise<string | { nothing: string }> };
/** `person`: what somebody has to do where the bot can't, each with the exact line. */
export type Fault = { what: string; act?: Act | undefined; person: string[] };
/** Only looks. Undefined: nothing is wrong there, or it can't be known. */
/** `blocks`: as long as that is wrong, what comes after it can't be mended. */
export type Check = { part: string; blocks?: boolean; look: () => Promise<Fault | undefined> };
