import { bulkScenario } from '../lib/bulk.mjs';

export default bulkScenario();
