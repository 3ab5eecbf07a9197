export * from './dist/types/node/index';
