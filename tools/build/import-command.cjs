// Apart from countersign.cjs, because versions of Node that it turns away cannot parse `import()`.
'use strict';

import('../lib/main.js');
