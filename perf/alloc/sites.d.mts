export interface ProfileNode {
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly selfSize: number;
  readonly children: readonly ProfileNode[];
}
export interface Site {
  readonly site: string;
  readonly bytes: number;
  readonly caller: string;
}
export function topSites(profile: { readonly head: ProfileNode }, count: number): Site[];
