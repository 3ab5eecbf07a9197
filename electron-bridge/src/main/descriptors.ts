import { createHash } from 'crypto';
import {
  isChoice,
  isCrashPage,
  isNotice,
  isPanel,
  isPermissionDialog,
  isWindow,
} from './validators';
import type {
  ChoiceDialog,
  CloseDialogParams,
  CloseNoticeParams,
  CloseWindowParams,
  CrashPage,
  DrawPanelParams,
  Notice,
  OpenCentreParams,
  OpenWindowParams,
  PanelDescriptor,
  PanelParams,
  PlaceWindowParams,
  ShowChoiceParams,
  ShowCrashParams,
  ShowDialogParams,
  ShowNoticeParams,
  WindowDescriptor,
} from '../generated/protocol';
import { DeskbusError } from '../common/error';

// Each of these takes the params of a call of the backend's and throws invalid_params.

export function readOpenWindow(params: unknown): WindowDescriptor {
  const { descriptor } = (params ?? {}) as Partial<OpenWindowParams>;
  if (!isWindow(descriptor)) throw invalid('The window descriptor breaks its schema.');
  return descriptor;
}

export function readCloseWindow(params: unknown): string {
  const { window } = (params ?? {}) as Partial<CloseWindowParams>;
  if (typeof window !== 'string') throw invalid('There is no window id.');
  return window;
}

export function readPlaceWindow(params: unknown): PlaceWindowParams {
  const { window, bounds } = (params ?? {}) as Partial<PlaceWindowParams>;
  const { x, y, width, height } = bounds ?? {};
  const areWhole = [x, y, width, height].every(Number.isInteger);
  if (typeof window !== 'string' || !bounds || !areWhole) throw invalid('There is no place.');
  return { window, bounds };
}

/** The descriptor that is drawn is the one whose hash the answer will carry. */
export function readShowDialog(params: unknown): ShowDialogParams {
  const { descriptor, descriptorHash } = (params ?? {}) as Partial<ShowDialogParams>;
  if (!isPermissionDialog(descriptor)) throw invalid('The dialog descriptor breaks its schema.');
  if (typeof descriptorHash !== 'string' || hashOf(descriptor) !== descriptorHash) {
    throw invalid("The hash is not this descriptor's.");
  }
  return { descriptor, descriptorHash };
}

export function readCloseDialog(params: unknown): string {
  const { dialog } = (params ?? {}) as Partial<CloseDialogParams>;
  if (typeof dialog !== 'string') throw invalid('There is no dialog id.');
  return dialog;
}

export function readShowChoice(params: unknown): ChoiceDialog {
  const { descriptor } = (params ?? {}) as Partial<ShowChoiceParams>;
  if (!isChoice(descriptor)) throw invalid('The choice descriptor breaks its schema.');
  return descriptor;
}

export function readShowNotice(params: unknown): Notice {
  const { descriptor } = (params ?? {}) as Partial<ShowNoticeParams>;
  if (!isNotice(descriptor)) throw invalid('The notice descriptor breaks its schema.');
  return descriptor;
}

export function readCloseNotice(params: unknown): string {
  const { notice } = (params ?? {}) as Partial<CloseNoticeParams>;
  if (typeof notice !== 'string') throw invalid('There is no notice id.');
  return notice;
}

export function readDrawPanel(params: unknown): PanelDescriptor {
  const { descriptor } = (params ?? {}) as Partial<DrawPanelParams>;
  if (!isPanel(descriptor)) throw invalid('The panel descriptor breaks its schema.');
  return descriptor;
}

export function readPanel(params: unknown): string {
  const { panel } = (params ?? {}) as Partial<PanelParams>;
  if (typeof panel !== 'string') throw invalid('There is no panel id.');
  return panel;
}

export function readOpenCentre(params: unknown): string {
  const { page } = (params ?? {}) as Partial<OpenCentreParams>;
  if (typeof page !== 'string') throw invalid('There is no page.');
  return page;
}

export function readShowCrash(params: unknown): CrashPage {
  const { descriptor } = (params ?? {}) as Partial<ShowCrashParams>;
  if (!isCrashPage(descriptor)) throw invalid('The crash page breaks its schema.');
  return descriptor;
}

/** SHA-256, in hex, of the descriptor as compact JSON: the bytes in which it was sent. */
export function hashOf(descriptor: object): string {
  return createHash('sha256').update(JSON.stringify(descriptor)).digest('hex');
}

function invalid(message: string): DeskbusError {
  return DeskbusError.of('invalid_params', message);
}
