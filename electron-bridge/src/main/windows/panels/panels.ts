import type { PanelDescriptor, PanelQuery } from '../../../generated/protocol';
import { Emitter } from '../../../common/emitter';
import { DeskbusError } from '../../../common/error';
import type { Backend } from '../../backend/backend';
import { readDrawPanel, readPanel } from '../../descriptors';
import { PanelWindow, type Act } from './panel-window';

interface PanelsEvents {
  opened: PanelWindow;
  /** The name of the panel whose window is gone. */
  closed: string;
}

/** The windows of open panels, one for each name; they outlive a restart of the backend. */
export class Panels extends Emitter<PanelsEvents> {
  private readonly windows = new Map<string, PanelWindow>();

  constructor(private readonly backend: Backend) {
    super();
    backend.handle('ui.openPanel', (params) => this.draw(readDrawPanel(params)));
    backend.onNotice('ui.updatePanel', (params) => this.update(readDrawPanel(params)));
    backend.onNotice('ui.closePanel', (params) => this.find(readPanel(params))?.close());
    backend.on('down', () => this.setConnected(false));
    backend.on('up', () => void this.reopen());
  }

  /** Opens a panel's window, or brings it to the front; rejects with `DeskbusError`. */
  async open(name: string, query: PanelQuery): Promise<PanelWindow> {
    await this.backend.call('panels.open', { name, query });
    const window = this.windows.get(name);
    if (!window) throw DeskbusError.of('unavailable', 'The panel was closed.');
    return window;
  }

  closeAll(): void {
    for (const window of [...this.windows.values()]) window.close();
  }

  private async draw(descriptor: PanelDescriptor): Promise<object> {
    const known = this.windows.get(descriptor.name);
    if (known) {
      known.draw(descriptor);
      known.focus();
      return {};
    }
    const window = new PanelWindow(descriptor, this.act);
    this.windows.set(descriptor.name, window);
    window.on('query', (query) => void this.look(window, query));
    window.on('closed', () => this.closed(window));
    await window.inView;
    this.emit('opened', window);
    return {};
  }

  private update(descriptor: PanelDescriptor): void {
    this.find(descriptor.panel)?.draw(descriptor);
  }

  private find(id: string): PanelWindow | undefined {
    return [...this.windows.values()].find(({ descriptor }) => descriptor.panel === id);
  }

  private readonly act: Act = async ({ panel }, { revision, action, row }, path) => {
    const { message } = await this.backend.call('ui.panelAction', {
      panel,
      revision,
      action,
      ...(row === undefined ? {} : { row }),
      ...(path === undefined ? {} : { path }),
    });
    return message ?? '';
  };

  private async look({ descriptor: { panel } }: PanelWindow, query: PanelQuery): Promise<void> {
    // While the backend is away the panel says so; it is asked again when it is back.
    await this.backend.call('ui.panelQuery', { panel, query }).catch(() => undefined);
  }

  private closed(window: PanelWindow): void {
    const { panel, name } = window.descriptor;
    this.windows.delete(name);
    this.backend.notify('ui.panelClosed', { panel });
    this.emit('closed', name);
  }

  private setConnected(connected: boolean): void {
    for (const window of this.windows.values()) window.connected(connected);
  }

  private async reopen(): Promise<void> {
    for (const [name, window] of this.windows) {
      await this.backend
        .call('panels.open', { name, query: window.lastQuery })
        .then(() => window.connected(true))
        .catch(() => window.close());
    }
  }
}
