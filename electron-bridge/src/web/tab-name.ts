import { OWN_NAMES } from './words';

const TAB = `${OWN_NAMES}tab`;

/** The content of a `<meta>` element of the gateway; empty where there is none. */
export function told(name: string): string {
  const found = document.querySelector<HTMLMetaElement>(`meta[name="${OWN_NAMES}${name}"]`);
  return found?.content ?? '';
}

/**
 * The client's name of this tab, which a reload keeps. Without a shared worker nobody else can tell
 * that another tab has it, as one that was duplicated does: then a reload alone keeps it.
 */
export function tabName(isShared: boolean): string {
  const fresh = told('client');
  const browser = fresh.slice(0, fresh.lastIndexOf('-'));
  const kept = isShared || isReload() ? (sessionStorage.getItem(TAB) ?? '') : '';
  const name = kept.startsWith(`${browser}-`) ? kept : fresh;
  sessionStorage.setItem(TAB, name);
  return name;
}

/** Whether the page before in this tab was the same. */
export function isReload(): boolean {
  const [navigation] = performance.getEntriesByType('navigation');
  return (navigation as PerformanceNavigationTiming | undefined)?.type === 'reload';
}

/** Another tab has the name: the next page gets one of its own. */
export function forgetTabName(): void {
  sessionStorage.removeItem(TAB);
}
