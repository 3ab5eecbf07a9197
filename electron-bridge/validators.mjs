// Makes src/main/validators, the checks of the descriptors as plain functions, when a bundle is built:
// a start compiles no schema, and needs no ajv and no `new Function`.
import Ajv2020 from 'ajv/dist/2020.js';
import standaloneCode from 'ajv/dist/standalone/index.js';
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('.', import.meta.url));
const SCHEMAS = fileURLToPath(new URL('src/generated/descriptors.ts', import.meta.url));

/** The names of the functions, which src/main/validators.d.ts declares, by those of the schemas. */
const VALIDATORS = {
  windowSchema: 'isWindow',
  choiceSchema: 'isChoice',
  noticeSchema: 'isNotice',
  permissionSchema: 'isPermissionDialog',
  panelSchema: 'isPanel',
  crashSchema: 'isCrashPage',
};

async function schemas() {
  const { outputFiles } = await build({ entryPoints: [SCHEMAS], format: 'esm', write: false });
  return import(
    `data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString('base64')}`
  );
}

async function code() {
  const known = await schemas();
  const ajv = new Ajv2020({ strict: true, allErrors: false, code: { source: true, esm: true } });
  // An annotation of OpenAPI's, beside the `anyOf` that counts.
  ajv.addVocabulary(['discriminator']);
  const names = {};
  for (const [schema, name] of Object.entries(VALIDATORS)) {
    ajv.addSchema(known[schema], name);
    names[name] = name;
  }
  return standaloneCode(ajv, names);
}

export const validators = {
  name: 'validators',
  setup(bundler) {
    const filter = /^\.\/validators$/;
    bundler.onResolve({ filter }, ({ path }) => ({ path, namespace: 'validators' }));
    bundler.onLoad({ filter, namespace: 'validators' }, async () => ({
      contents: await code(),
      resolveDir: ROOT,
    }));
  },
};
