import { add, fill, h, setAttribute } from '../dom';

export interface Tab {
  id: string;
  label: string;
  /** Made when it is first looked at. */
  make(): HTMLElement;
}

/** Views of one page, of which one is seen; the arrow keys change it. */
export class Tabs {
  readonly bar = h('div', { class: 'segments', role: 'tablist' });
  readonly host = h('div', { class: 'tab-host', role: 'tabpanel' });
  private readonly made = new Map<string, HTMLElement>();
  private current = '';

  constructor(
    private readonly tabs: readonly Tab[],
    label: string,
    private readonly onShown: (id: string) => void,
  ) {
    this.bar.setAttribute('aria-label', label);
    for (const tab of tabs) {
      const button = h('button', { type: 'button', role: 'tab', 'data-tab': tab.id }, tab.label);
      button.addEventListener('click', () => this.show(tab.id));
      add(this.bar, button);
    }
    this.bar.addEventListener('keydown', (event) => this.key(event));
  }

  get shown(): string {
    return this.current;
  }

  show(id: string): void {
    const tab = this.tabs.find((each) => each.id === id) ?? this.tabs[0];
    if (!tab || tab.id === this.current) return;
    this.current = tab.id;
    const element = this.made.get(tab.id) ?? tab.make();
    this.made.set(tab.id, element);
    fill(this.host, element);
    this.host.setAttribute('aria-label', tab.label);
    for (const button of this.bar.children) {
      const isShown = (button as HTMLElement).dataset['tab'] === tab.id;
      setAttribute(button, 'aria-selected', String(isShown));
      setAttribute(button, 'tabindex', isShown ? '0' : '-1');
    }
    this.onShown(tab.id);
  }

  private key(event: KeyboardEvent): void {
    const [forth, back] =
      document.dir === 'rtl' ? ['ArrowLeft', 'ArrowRight'] : ['ArrowRight', 'ArrowLeft'];
    const step = event.key === forth ? 1 : event.key === back ? -1 : 0;
    if (step === 0) return;
    const at = this.tabs.findIndex(({ id }) => id === this.current);
    const next = this.tabs[(at + step + this.tabs.length) % this.tabs.length];
    if (!next) return;
    event.preventDefault();
    this.show(next.id);
    this.bar.querySelector<HTMLElement>(`[data-tab="${next.id}"]`)?.focus();
  }
}
