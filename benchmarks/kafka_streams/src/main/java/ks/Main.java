package ks;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.yaml.snakeyaml.Yaml;

/** java ks.Main SETTINGS WEIGHTS VERSION SHA256 THRESHOLD THRESHOLD THRESHOLD: the worker's job in Kafka Streams, two threads, at least once. */
public final class Main {
    static final byte[] ONE = "1.0".getBytes(), JSON = "application/json".getBytes(), TYPE = "tweet-triage.post.routed.v1".getBytes();

    /** A record keeps its partition number; a sink asks in the thread that forwarded. */
    static final ThreadLocal<Integer> PARTITION = new ThreadLocal<>();

    static final class Triage implements Processor<byte[], byte[], byte[], byte[]> {
        private final Route route;
        private ProcessorContext<byte[], byte[]> context;

        Triage(Route route) {
            this.route = route;
        }

        @Override
        public void init(ProcessorContext<byte[], byte[]> context) {
            this.context = context;
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            var from = context.recordMetadata().orElseThrow();
            long now = System.currentTimeMillis();
            Route.Out out = route.route(record.value(), from.topic(), from.partition(), from.offset(), record.timestamp(), now);
            Record<byte[], byte[]> to = new Record<>(out.key(), out.value(), now);
            Headers headers = to.headers();
            headers.add("content-type", JSON).add("ce_specversion", ONE).add("ce_type", TYPE);
            headers.add("ce_source", bytes("/x/" + out.brand())).add("ce_id", bytes(out.id()));
            headers.add("ce_subject", bytes(out.post())).add("ce_time", bytes(out.now()));
            PARTITION.set(from.partition());
            context.forward(to, out.queue());
        }
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @SuppressWarnings("unchecked")
    public static void main(String[] args) throws Exception {
        Map<String, Object> settings = new Yaml().load(Files.readString(Path.of(args[0])));
        Map<String, Object> kafka = (Map<String, Object>) settings.get("kafka"), topics = (Map<String, Object>) settings.get("topics");
        Map<String, List<String>> brands = new HashMap<>();
        for (Map<String, Object> brand : (List<Map<String, Object>>) settings.get("brands"))
            brands.put((String) brand.get("name"), (List<String>) brand.get("handles"));
        Set<String> urgent = new HashSet<>(List.of(Files.readString(Path.of(args[1] + ".urgent")).split(" ")));
        double[] thresholds = Stream.of(args).skip(4).mapToDouble(Double::parseDouble).toArray();
        Route route = new Route(new Score(Path.of(args[1])), brands, urgent, args[2], args[3], thresholds);
        String prefix = (String) topics.get("prefix");
        Topology topology = new Topology();
        topology.addSource("in", prefix + "tweets").addProcessor("triage", () -> new Triage(route), "in");
        for (String queue : List.of("reactive", "proactive", "engagement", "review"))
            topology.addSink(queue, prefix + "queue." + queue, (t, k, v, n) -> Optional.of(Set.of(PARTITION.get())), "triage");
        String group = (String) ((Map<String, Object>) settings.get("worker")).get("group");
        run(topology, properties(group, String.join(",", (List<String>) kafka.get("bootstrap_servers")), Files.createTempDirectory("ks")));
    }

    /** Two threads, at least once, lz4. */
    static Properties properties(String group, String servers, Path folder) {
        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, group);
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, servers);
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        p.put(StreamsConfig.STATE_DIR_CONFIG, folder.toString());
        p.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
        p.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
        p.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        p.put(StreamsConfig.producerPrefix("linger.ms"), 5);
        p.put(StreamsConfig.producerPrefix("batch.size"), 200_000);
        p.put(StreamsConfig.producerPrefix("compression.type"), System.getProperty("compression", "lz4"));
        p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 500);
        return p;
    }

    /** Until SIGTERM. */
    static void run(Topology topology, Properties properties) throws InterruptedException {
        KafkaStreams streams = new KafkaStreams(topology, properties);
        streams.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            System.exit(1);
            return null;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(10))));
        streams.start();
        Thread.currentThread().join();
    }

    private Main() {}
}
