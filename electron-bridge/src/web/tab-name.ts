import { OWN_NAMES } from './words';

const TAB = `${OWN_NAMES}tab`;

/** The content of a `<meta>` element of the gateway; empty where there is none. */
export function told(name: string): string {
  const found = document.querySelector<HTMLMetaElement>(`meta[name="${OWN_NAMES}${name}"]`);
  return found?.content ?? '';
}

/** The client's name of this tab, which a reload keeps. */
export function tabName(): string {
  const fresh = told('client');
  const browser = fresh.slice(0, fresh.lastIndexOf('-'));
  const kept = sessionStorage.getItem(TAB) ?? '';
  const name = kept.startsWith(`${browser}-`) ? kept : fresh;
  sessionStorage.setItem(TAB, name);
  return name;
}

/** Another tab has the name: the next page gets one of its own. */
export function forgetTabName(): void {
  sessionStorage.removeItem(TAB);
}
