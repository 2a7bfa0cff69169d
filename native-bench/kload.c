// kload: a lean Kafka-protocol producer and consumer to load any broker: ringlog, Apache Kafka or the floor. One
// thread, one epoll; what it costs itself is in its report. It prints one line of JSON.
#define _GNU_SOURCE
#include "kload.h"
#include <getopt.h>
#include <stdlib.h>

static void usage(FILE *out) {
  fprintf(
      out,
      "kload: a lean Kafka-protocol producer and consumer that measures a broker\n\n"
      "usage: kload --bootstrap HOST:PORT --topic T [options]\n\n"
      "what to do (default: produce; the topic is created if it is not there)\n"
      "  --consume                fetch instead: from the beginning to where the log ends now\n"
      "  --end-to-end             produce with --rate, and consume what is produced in the same process: the time from\n"
      "                           when a record was due to when a consumer had it; one record a batch by default\n"
      "  --consumers N            of an end-to-end run, each gets every record, default 1\n"
      "  --create                 only create the topic, fail if it exists\n"
      "  --delete                 only delete the topic\n"
      "topic\n"
      "  --bootstrap HOST:PORT    default 127.0.0.1:9092\n"
      "  --topic T                default 'kload'\n"
      "  --partitions P           default 4; must be the topic's number if it exists\n"
      "  --topic-config K=V       for the creation of the topic; may be repeated\n"
      "load\n"
      "  --connections C          default 4; spread evenly over the partitions\n"
      "  --in-flight F            requests unanswered per connection (produce), default 5\n"
      "  --acks A                 all (default), 1 or 0\n"
      "  --record-bytes N         bytes of a record's value, at least 8, default 1024\n"
      "  --batch-bytes N[-M]      size of a batch at most (as many records as fit, at least one), or sizes spread\n"
      "                           evenly from N to M; default 65536\n"
      "  --idempotent             every connection is an idempotent producer; at most 5 requests in flight each\n"
      "  --batches-per-request K  each for the connection's next partition, default 1\n"
      "  --rate R                 open loop: R records a second in total, latency from the intended start\n"
      "  --pool-bytes SIZE        memory of pre-encoded batches, default 64m\n"
      "  --pool-file F            batches out of file F, compressed perhaps, one behind the other; each is sent with\n"
      "                           timestamps of its own. All records of a batch must have its base timestamp\n"
      "  --fetch-max-bytes SIZE   per partition and fetch (consume), default 1m\n"
      "  --response-max-bytes S   per fetch, default 50m\n"
      "  --fetch-wait-ms N        default 500\n"
      "  --fan-out                every connection fetches all partitions (else they share them)\n"
      "  --offset WHERE           earliest (default) or latest (then follows the log for --seconds)\n"
      "  --verify-crc             check the CRC of each fetched batch\n"
      "how long\n"
      "  --seconds S              measured time; default 10 (produce), to the end of the log (consume)\n"
      "  --bytes SIZE             measured bytes instead\n"
      "  --warmup S               load before the measured part, default 0\n"
      "  --drain S                wait for the last answers at most this long, default 30\n"
      "  --max-errors N           give up after more than N error answers, default 1000\n\n"
      "MB is 10^6 bytes of record batches. Exit code: 0 only if nothing failed: no error answer, no lost connection,\n"
      "no unanswered request, no broken chain of offsets, no wrong CRC,\n"
      "no record that a consumer of an end-to-end run did not get.\n\n"
      "examples:\n"
      "  kload --topic bulk --topic-config ringlog.durability=page-cache --seconds 10 --warmup 2\n"
      "  kload --topic small --record-bytes 1024 --batch-bytes 1 --connections 16 --in-flight 8\n"
      "  kload --topic paced --batch-bytes 1 --rate 5000 --in-flight 1000 --seconds 30\n"
      "  kload --topic tail --end-to-end --rate 10000 --in-flight 1000 --connections 8 --warmup 2 --seconds 30\n"
      "  kload --topic bulk --consume --verify-crc\n");
}

enum {
  OPT_FIRST = 256,
  OPT_CONSUME,
  OPT_END_TO_END,
  OPT_CONSUMERS,
  OPT_CREATE,
  OPT_DELETE,
  OPT_BOOTSTRAP,
  OPT_TOPIC,
  OPT_PARTITIONS,
  OPT_CONFIG,
  OPT_CONNECTIONS,
  OPT_IN_FLIGHT,
  OPT_ACKS,
  OPT_RECORD,
  OPT_BATCH,
  OPT_IDEMPOTENT,
  OPT_PER_REQUEST,
  OPT_RATE,
  OPT_POOL,
  OPT_POOL_FILE,
  OPT_FETCH,
  OPT_RESPONSE,
  OPT_WAIT,
  OPT_FAN_OUT,
  OPT_OFFSET,
  OPT_CRC,
  OPT_SECONDS,
  OPT_BYTES,
  OPT_WARMUP,
  OPT_DRAIN,
  OPT_MAX_ERRORS,
  OPT_HELP
};

static const struct option names[] = {{"consume", 0, 0, OPT_CONSUME},
                                      {"end-to-end", 0, 0, OPT_END_TO_END},
                                      {"consumers", 1, 0, OPT_CONSUMERS},
                                      {"create", 0, 0, OPT_CREATE},
                                      {"delete", 0, 0, OPT_DELETE},
                                      {"bootstrap", 1, 0, OPT_BOOTSTRAP},
                                      {"topic", 1, 0, OPT_TOPIC},
                                      {"partitions", 1, 0, OPT_PARTITIONS},
                                      {"topic-config", 1, 0, OPT_CONFIG},
                                      {"connections", 1, 0, OPT_CONNECTIONS},
                                      {"in-flight", 1, 0, OPT_IN_FLIGHT},
                                      {"acks", 1, 0, OPT_ACKS},
                                      {"record-bytes", 1, 0, OPT_RECORD},
                                      {"batch-bytes", 1, 0, OPT_BATCH},
                                      {"idempotent", 0, 0, OPT_IDEMPOTENT},
                                      {"batches-per-request", 1, 0, OPT_PER_REQUEST},
                                      {"rate", 1, 0, OPT_RATE},
                                      {"pool-bytes", 1, 0, OPT_POOL},
                                      {"pool-file", 1, 0, OPT_POOL_FILE},
                                      {"fetch-max-bytes", 1, 0, OPT_FETCH},
                                      {"response-max-bytes", 1, 0, OPT_RESPONSE},
                                      {"fetch-wait-ms", 1, 0, OPT_WAIT},
                                      {"fan-out", 0, 0, OPT_FAN_OUT},
                                      {"offset", 1, 0, OPT_OFFSET},
                                      {"verify-crc", 0, 0, OPT_CRC},
                                      {"seconds", 1, 0, OPT_SECONDS},
                                      {"bytes", 1, 0, OPT_BYTES},
                                      {"warmup", 1, 0, OPT_WARMUP},
                                      {"drain", 1, 0, OPT_DRAIN},
                                      {"max-errors", 1, 0, OPT_MAX_ERRORS},
                                      {"help", 0, 0, OPT_HELP},
                                      {0, 0, 0, 0}};

static void parse_bootstrap(struct options *o, const char *text) {
  const char *colon = strrchr(text, ':');
  if (!colon || (size_t)(colon - text) >= sizeof o->host) die("--bootstrap: '%s' is not HOST:PORT", text);
  memcpy(o->host, text, (size_t)(colon - text));
  o->host[colon - text] = 0;
  o->port = (int)parse_int(colon + 1, "--bootstrap's port", 1, 65535);
}

static void parse_batch_bytes(struct options *o, char *text) {
  char *dash = strchr(text, '-');
  if (dash) *dash = 0;
  o->batch_bytes_min = o->batch_bytes_max = (int)parse_bytes(text, "--batch-bytes");
  if (dash) o->batch_bytes_max = (int)parse_bytes(dash + 1, "--batch-bytes");
  if (o->batch_bytes_max < o->batch_bytes_min || o->batch_bytes_max > 64 << 20)
    die("--batch-bytes: N or N-M, up to 64m");
}

static int parse_acks(const char *text) {
  if (!strcmp(text, "all") || !strcmp(text, "-1")) return -1;
  return (int)parse_int(text, "--acks", 0, 1);
}

static void parse_option(struct options *o, int option) {
  switch (option) {
  case OPT_CONSUME:
    o->mode = MODE_CONSUME;
    break;
  case OPT_END_TO_END:
    o->end_to_end = true;
    break;
  case OPT_CONSUMERS:
    o->consumers = (int)parse_int(optarg, "--consumers", 1, 10000);
    break;
  case OPT_CREATE:
    o->mode = MODE_CREATE;
    break;
  case OPT_DELETE:
    o->mode = MODE_DELETE;
    break;
  case OPT_BOOTSTRAP:
    parse_bootstrap(o, optarg);
    break;
  case OPT_TOPIC:
    o->topic = optarg;
    break;
  case OPT_PARTITIONS:
    o->partitions = (int)parse_int(optarg, "--partitions", 1, 100000);
    break;
  case OPT_CONFIG:
    if (!strchr(optarg, '=')) die("--topic-config: '%s' is not K=V", optarg);
    if (o->config_count == TOPIC_CONFIGS_MAX) die("--topic-config: at most %d", TOPIC_CONFIGS_MAX);
    o->configs[o->config_count++] = optarg;
    break;
  case OPT_CONNECTIONS:
    o->connections = (int)parse_int(optarg, "--connections", 1, 100000);
    break;
  case OPT_IN_FLIGHT:
    o->in_flight = (int)parse_int(optarg, "--in-flight", 1, 100000);
    break;
  case OPT_ACKS:
    o->acks = parse_acks(optarg);
    break;
  case OPT_RECORD:
    o->record_bytes = (int)parse_int(optarg, "--record-bytes", 8, 32 << 20);
    break;
  case OPT_BATCH:
    parse_batch_bytes(o, optarg);
    break;
  case OPT_IDEMPOTENT:
    o->idempotent = true;
    break;
  case OPT_PER_REQUEST:
    o->batches_per_request = (int)parse_int(optarg, "--batches-per-request", 1, 10000);
    break;
  case OPT_RATE:
    o->rate = parse_double(optarg, "--rate", 0.001, 1e9);
    break;
  case OPT_POOL:
    o->pool_bytes = parse_bytes(optarg, "--pool-bytes");
    break;
  case OPT_POOL_FILE:
    o->pool_file = optarg;
    break;
  case OPT_FETCH:
    o->fetch_bytes = (int)parse_bytes(optarg, "--fetch-max-bytes");
    break;
  case OPT_RESPONSE:
    o->response_bytes = (int)parse_bytes(optarg, "--response-max-bytes");
    break;
  case OPT_WAIT:
    o->wait_ms = (int)parse_int(optarg, "--fetch-wait-ms", 0, 600000);
    break;
  case OPT_FAN_OUT:
    o->fan_out = true;
    break;
  case OPT_OFFSET:
    if (strcmp(optarg, "earliest") && strcmp(optarg, "latest")) die("--offset is earliest or latest");
    o->offset_latest = *optarg == 'l';
    break;
  case OPT_CRC:
    o->verify_crc = true;
    break;
  case OPT_SECONDS:
    o->seconds = parse_double(optarg, "--seconds", 0.01, 1e6);
    break;
  case OPT_BYTES:
    o->bytes = parse_bytes(optarg, "--bytes");
    break;
  case OPT_WARMUP:
    o->warmup = parse_double(optarg, "--warmup", 0, 1e5);
    break;
  case OPT_DRAIN:
    o->drain = parse_double(optarg, "--drain", 0, 1e5);
    break;
  case OPT_MAX_ERRORS:
    o->errors_max = (uint64_t)parse_int(optarg, "--max-errors", 0, INT64_MAX);
    break;
  case OPT_HELP:
    usage(stdout);
    exit(0);
  default:
    fprintf(stderr, "kload --help shows the options\n");
    exit(2);
  }
}

int main(int argc, char **argv) {
  static struct options o = {.host = "127.0.0.1",
                             .port = 9092,
                             .topic = "kload",
                             .partitions = 4,
                             .connections = 4,
                             .in_flight = 5,
                             .acks = -1,
                             .record_bytes = 1024,
                             .batch_bytes_max = -1,
                             .batches_per_request = 1,
                             .consumers = 1,
                             .drain = 30,
                             .pool_bytes = 64 << 20,
                             .errors_max = 1000,
                             .fetch_bytes = 1 << 20,
                             .response_bytes = 50 << 20,
                             .wait_ms = 500};
  static struct result result;
  const struct result *delivered = NULL;
  for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) parse_option(&o, option);
  if (optind < argc) die("unexpected '%s'; kload --help shows the options", argv[optind]);
  if (o.rate > 0 && (o.bytes || o.mode == MODE_CONSUME)) die("--rate goes with --seconds and producing");
  if (o.idempotent && (o.mode != MODE_PRODUCE || o.acks != -1 || o.batch_bytes_min != o.batch_bytes_max))
    die("--idempotent goes with producing batches of one size and --acks all");
  if (o.idempotent && o.in_flight > 5) die("--idempotent: at most 5 requests in flight");
  if (o.batch_bytes_max < 0) o.batch_bytes_min = o.batch_bytes_max = o.end_to_end ? 1 : 65536;
  if (o.end_to_end && (o.mode != MODE_PRODUCE || o.rate <= 0)) die("--end-to-end goes with producing and --rate");
  if (o.end_to_end && o.batches_per_request > 1) die("--end-to-end: one batch a request");
  if (o.pool_file && (o.end_to_end || o.idempotent)) die("--pool-file goes with neither --end-to-end nor --idempotent");
  if (o.mode == MODE_CREATE) return create_topic(&o), 0;
  if (o.mode == MODE_DELETE) return delete_topic(&o), 0;
  if (o.mode == MODE_PRODUCE && o.seconds <= 0) o.seconds = 10;
  if (o.mode == MODE_CONSUME && o.offset_latest && o.seconds <= 0) o.seconds = 10;
  if (o.mode == MODE_CONSUME)
    run_consume(&o, &result);
  else
    delivered = run_produce(&o, &result);
  result_print(&o, &result, delivered);
  return result_failed(&result) || (delivered && result_failed(delivered));
}
