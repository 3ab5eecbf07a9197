// Colours by name, as the style sheet has them for light and dark.

export type Colour =
  | 'c1'
  | 'c2'
  | 'c3'
  | 'c4'
  | 'c5'
  | 'c6'
  | 'c7'
  | 'c8'
  | 'line'
  | 'quiet'
  | 'text'
  | 'bad'
  | 'ground'
  | 'caution'
  | 'good'
  | 'accent';

const scheme = window.matchMedia('(prefers-color-scheme: light)');
const found = new Map<Colour, string>();
const listeners = new Set<() => void>();

scheme.addEventListener('change', () => {
  found.clear();
  for (const listener of [...listeners]) listener();
});

export function colour(name: Colour): string {
  let value = found.get(name);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    found.set(name, value);
  }
  return value;
}

/** Calls `listener` when light has become dark, or the reverse; returns what ends that. */
export function onScheme(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const APP_COLOURS: readonly Colour[] = ['c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7', 'c8'];

/** The same app has the same colour everywhere. */
export function colourOf(app: string): Colour {
  let hash = 0;
  for (const mark of app) hash = (hash * 31 + (mark.codePointAt(0) ?? 0)) >>> 0;
  return APP_COLOURS[hash % APP_COLOURS.length] ?? 'c1';
}
