package ks;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.ByteArrayBuilder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import org.yaml.snakeyaml.Yaml;

/** java ks.State SETTINGS PHRASES: the responses worker's job in Kafka Streams, the state in RocksDB with a changelog. */
public final class State {
    private static final byte[] TYPE = Main.bytes("tweet-triage.response.v1");

    static final class Books implements Processor<byte[], byte[], byte[], byte[]> {
        private final Fact.Phrases phrases;
        private final Set<String> own;
        private ProcessorContext<byte[], byte[]> context;
        private KeyValueStore<byte[], byte[]> store;

        Books(Fact.Phrases phrases, Set<String> own) {
            this.phrases = phrases;
            this.own = own;
        }

        @Override
        public void init(ProcessorContext<byte[], byte[]> context) {
            this.context = context;
            store = context.getStateStore("waits");
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            var from = context.recordMetadata().orElseThrow();
            Fact.Heard heard = Fact.heard(record.value(), from.offset(), phrases, own);
            if (heard == null) return;
            byte[] key = heard.key();
            Conversation conversation = Conversation.of(store.get(key));
            Main.PARTITION.set(from.partition());
            for (Conversation.Told told : conversation.advance(heard.fact())) context.forward(response(heard, told, conversation.version));
            store.put(key, conversation.encoded());
        }
    }

    /** The record of pipeline/responses.py, with its headers and its id. */
    private static Record<byte[], byte[]> response(Fact.Heard heard, Conversation.Told told, int version) {
        String id = eventId(heard, told, version), at = Route.UTC.format(Instant.ofEpochMilli(told.at()));
        Record<byte[], byte[]> to = new Record<>(Main.bytes(heard.customer()), json(heard, told, version, id, at), System.currentTimeMillis());
        Headers headers = to.headers();
        headers.add("content-type", Main.JSON).add("ce_specversion", Main.ONE).add("ce_type", TYPE);
        headers.add("ce_source", Main.bytes("/x/" + heard.brand())).add("ce_id", Main.bytes(id));
        headers.add("ce_subject", Main.bytes(told.turn().post)).add("ce_time", Main.bytes(at));
        return to;
    }

    private static String eventId(Fact.Heard heard, Conversation.Told told, int version) {
        Conversation.Turn turn = told.turn();
        return Route.uuid(Route.uuid5(Route.NAMESPACE, String.join("\u001f",
            heard.customer(), heard.brand(), heard.conversation(), Integer.toString(version), told.change(), Long.toString(told.at()), turn.post,
            Integer.toString(turn.queue), Long.toString(turn.opened), Integer.toString(turn.posts), truth(turn.first),
            turn.answered ? "ANSWERED" : "WAITING", Long.toString(turn.ended), turn.answer, truth(turn.breached))));
    }

    private static String truth(boolean value) {
        return value ? "True" : "False";
    }

    private static byte[] json(Fact.Heard heard, Conversation.Told told, int version, String id, String at) {
        ByteArrayBuilder bytes = new ByteArrayBuilder(900);
        try (JsonGenerator g = Route.JSON.createGenerator(bytes)) {
            g.writeStartObject();
            g.writeStringField("schema_version", "1.0");
            g.writeStringField("event_id", id);
            g.writeStringField("event_type", told.change().toLowerCase());
            g.writeStringField("at", at);
            g.writeStringField("brand", heard.brand());
            g.writeStringField("customer", heard.customer());
            g.writeStringField("conversation_id", heard.conversation());
            g.writeNumberField("revision", version);
            turn(g, told.turn());
            for (String name : List.of("outcome", "replies", "moved_to", "by", "backlog")) g.writeNullField(name);
            g.writeEndObject();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        return bytes.toByteArray();
    }

    private static void turn(JsonGenerator g, Conversation.Turn turn) throws IOException {
        boolean answered = turn.answered;
        double waited = (turn.ended - turn.opened) / 1000.0;
        g.writeObjectFieldStart("turn");
        g.writeStringField("post_id", turn.post);
        g.writeStringField("queue", Fact.QUEUES.get(turn.queue));
        g.writeBooleanField("wanted", turn.wanted);
        g.writeStringField("opened_at", Route.UTC.format(Instant.ofEpochMilli(turn.opened)));
        Route.string(g, "deadline_at", turn.due == Conversation.NEVER ? null : Route.UTC.format(Instant.ofEpochMilli(turn.due)));
        g.writeNumberField("posts", turn.posts);
        g.writeBooleanField("first", turn.first);
        g.writeStringField("state", answered ? "answered" : "waiting");
        Route.string(g, "ended_at", answered ? Route.UTC.format(Instant.ofEpochMilli(turn.ended)) : null);
        for (String name : List.of("wait_s", "business_s"))
            if (answered) g.writeNumberField(name, waited);
            else g.writeNullField(name);
        g.writeBooleanField("breached", turn.breached);
        if (turn.breached) g.writeNumberField("over_s", Math.max(0, (answered ? turn.ended : System.currentTimeMillis()) - turn.due) / 1000.0);
        else g.writeNullField("over_s");
        Route.string(g, "answer_id", answered ? turn.answer : null);
        Route.string(g, "answered_by", answered ? turn.who : null);
        Route.string(g, "answered_in", answered ? "public" : null);
        g.writeEndObject();
    }

    private static Fact.Phrases phrases(Path file) throws IOException {
        Map<String, String> read = new Yaml().load(Files.readString(file, StandardCharsets.UTF_8));
        int any = Pattern.CASE_INSENSITIVE; // of ASCII: Unicode's would cost the peer more, and the benchmark's texts have none
        return new Fact.Phrases(Set.of(read.get("thanks").split(" ")), Set.of(read.get("along").split(" ")),
            Pattern.compile(read.get("no_words")), Pattern.compile(read.get("emoji")),
            Pattern.compile(read.get("praise"), any), Pattern.compile(read.get("dm"), any), Pattern.compile(read.get("email"), any));
    }

    @SuppressWarnings("unchecked")
    public static void main(String[] args) throws Exception {
        Path file = Path.of(args[0]);
        Map<String, Object> settings = new Yaml().load(Files.readString(file));
        Map<String, Object> kafka = (Map<String, Object>) settings.get("kafka"), topics = (Map<String, Object>) settings.get("topics");
        Fact.Phrases phrases = phrases(Path.of(args[1]));
        Set<String> own = new HashSet<>();
        for (Map<String, Object> brand : (List<Map<String, Object>>) settings.get("brands"))
            for (String which : List.of("handles", "ids"))
                for (String account : (List<String>) brand.getOrDefault(which, List.of())) own.add(account.toLowerCase());
        String prefix = (String) topics.get("prefix");
        var waits = Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("waits"), Serdes.ByteArray(), Serdes.ByteArray());
        Topology topology = new Topology();
        topology.addSource("in", prefix + "queue.reactive", prefix + "posts.own");
        topology.addProcessor("books", () -> new Books(phrases, own), "in").addStateStore(waits, "books");
        topology.addSink("out", prefix + "responses", (t, k, v, n) -> Optional.of(Set.of(Main.PARTITION.get())), "books");
        String group = (String) ((Map<String, Object>) settings.get("responses")).get("group");
        String servers = String.join(",", (List<String>) kafka.get("bootstrap_servers"));
        Main.run(topology, Main.properties(group, servers, Files.createTempDirectory(file.getParent(), "ks")));
    }

    private State() {}
}
