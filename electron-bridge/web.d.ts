export * from './dist/types/web/index';
