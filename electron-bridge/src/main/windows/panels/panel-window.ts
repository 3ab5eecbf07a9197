import { dialog } from 'electron';
import type { PanelAction, PanelDescriptor, PanelQuery } from '../../../generated/protocol';
import { asDeskbusError } from '../../../common/error';
import { OwnIpc } from '../own/own-ipc';
import { OwnWindow, type OwnWindowEvents } from '../own/own-window';
import { PanelChannel, type Deed, type Outcome } from '../../../ipc/panel-channels';

const SIZE = { width: 1120, height: 720, minWidth: 640, minHeight: 480 };

/** Does an action; resolves with words for the person, rejects with `DeskbusError`. */
export type Act = (panel: PanelDescriptor, deed: Deed, path?: string) => Promise<string>;

interface PanelEvents extends OwnWindowEvents {
  query: PanelQuery;
}

/** The window of a panel. It holds no more than what it shows. */
export class PanelWindow extends OwnWindow<PanelEvents> {
  /** The person's last search. */
  lastQuery: PanelQuery = {};
  private isConnected = true;

  constructor(
    private shown: PanelDescriptor,
    private readonly act: Act,
  ) {
    super('panel', { ...SIZE, title: shown.content.title });
    panelPages.add(this);
  }

  get descriptor(): PanelDescriptor {
    return this.shown;
  }

  /** Shows `descriptor`, unless it is older than what is shown. */
  draw(descriptor: PanelDescriptor): void {
    const { panel, revision } = this.shown;
    if (descriptor.panel === panel && descriptor.revision < revision) return;
    this.shown = descriptor;
    this.browserWindow.setTitle(descriptor.content.title);
    this.tellAll();
  }

  /** Says on the panel whether the backend is there. */
  connected(connected: boolean): void {
    this.isConnected = connected;
    this.tellAll();
  }

  look(query: unknown): void {
    if (!isQuery(query)) return;
    this.lastQuery = query;
    this.emit('query', query);
  }

  async perform(deed: unknown): Promise<Outcome> {
    if (!isDeed(deed)) return { ok: false, message: '' };
    try {
      const kind = actionOf(this.shown, deed);
      if (kind?.saves === undefined) return { ok: true, message: await this.act(this.shown, deed) };
      const { filePath, canceled } = await dialog.showSaveDialog(this.browserWindow, {
        defaultPath: kind.saves,
      });
      if (canceled || !filePath) return { ok: true, message: '' };
      return { ok: true, message: await this.act(this.shown, deed, filePath) };
    } catch (error) {
      const { message, action } = asDeskbusError(error);
      return { ok: false, message: `${message} ${action}` };
    }
  }

  protected override tellAll(): void {
    this.send(PanelChannel.draw, this.shown);
    this.send(PanelChannel.connected, this.isConnected);
  }
}

const panelPages = new OwnIpc<PanelWindow>(
  {
    [PanelChannel.ready]: (panel) => panel.ready(),
    [PanelChannel.query]: (panel, query) => panel.look(query),
    [PanelChannel.close]: (panel) => panel.close(),
  },
  { [PanelChannel.action]: (panel, deed) => panel.perform(deed) },
);

function actionOf({ content }: PanelDescriptor, deed: Deed): PanelAction | undefined {
  const kinds = deed.row === undefined ? content.actions : content.rowActions;
  return kinds?.find(({ id }) => id === deed.action);
}

function isDeed(value: unknown): value is Deed {
  const { revision, action, row } = (value ?? {}) as Partial<Record<keyof Deed, unknown>>;
  return (
    typeof revision === 'number' &&
    typeof action === 'string' &&
    (row === undefined || typeof row === 'string')
  );
}

/** The backend checks what is in it against the method's schema. */
function isQuery(value: unknown): value is PanelQuery {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
