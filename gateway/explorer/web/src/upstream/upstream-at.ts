import { create } from "zustand";

/** Where the upstream is, when it is a sandbox: commands to paste lead there. */
export const useUpstreamAt = create<{ sandbox: string | null }>(() => ({ sandbox: null }));
