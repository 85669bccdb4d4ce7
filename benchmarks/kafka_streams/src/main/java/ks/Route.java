package ks;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.util.ByteArrayBuilder;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.text.Normalizer;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Pattern;

/** Bytes to the routed record: pipeline/decode.py and pipeline/route.py, for the posts that the benchmark has. */
final class Route {
    static final String[] STAGES = {"reactive", "proactive", "engagement"};
    static final JsonFactory JSON = new JsonFactory();
    static final DateTimeFormatter UTC = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);
    private static final Pattern HIDDEN = Pattern.compile("[\\p{Cc}&&[^\\n]]|[\\u00ad\\u061c\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff]");
    private static final ThreadLocal<MessageDigest> SHA1 = ThreadLocal.withInitial(() -> {
        try {
            return MessageDigest.getInstance("SHA-1");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    });

    static final byte[] NAMESPACE = uuid5(bytes(UUID.fromString("6ba7b811-9dad-11d1-80b4-00c04fd430c8")), "tweet-triage:event");

    record Out(String queue, String brand, byte[] key, byte[] value, String id, String post, String now) {}

    private static final class Post {
        String id, text, author, created, conversation, parentAuthor, lang = "und", handle, name, rule, first;
        boolean verified;
        int followers = -1;
        final List<String[]> mentions = new ArrayList<>(2), links = new ArrayList<>(1);
        final List<String> hashtags = new ArrayList<>(1);
    }

    private final Score score;
    private final Map<String, String> brandOf = new HashMap<>();
    private final Set<String> names = new HashSet<>(), urgent;
    private final String version, sha;
    private final double[] thresholds;

    Route(Score score, Map<String, List<String>> brands, Set<String> urgent, String version, String sha, double[] thresholds) {
        this.score = score;
        this.urgent = urgent;
        this.version = version;
        this.sha = sha;
        this.thresholds = thresholds;
        names.addAll(brands.keySet());
        brands.forEach((name, handles) -> handles.forEach(handle -> brandOf.put(handle.toLowerCase(), name)));
    }

    Out route(byte[] raw, String topic, int partition, long offset, long timestamp, long now) {
        try {
            Post post = decode(raw);
            double[] scores = score.of(post.text);
            int stage = scores[0] >= scores[1] && scores[0] >= scores[2] ? 0 : scores[1] >= scores[2] ? 1 : 2;
            String brand = names.contains(post.rule) ? post.rule : "other";
            boolean addressed = false;
            for (String[] mention : post.mentions) addressed |= brandOf.containsKey(mention[0].toLowerCase());
            boolean unsure = scores[stage] < thresholds[stage];
            String queue = unsure ? "review" : STAGES[stage];
            String id = uuid(uuid5(NAMESPACE, post.first + ":" + brand + ":routed:0"));
            String at = UTC.format(Instant.ofEpochMilli(now));
            byte[] value = write(post, scores, stage, brand, addressed, unsure, queue, id, topic, partition, offset, timestamp, at);
            return new Out(queue, brand, post.author.getBytes(StandardCharsets.UTF_8), value, id, post.id, at);
        } catch (IOException e) {
            throw new IllegalArgumentException(e);
        }
    }

    private static Post decode(byte[] raw) throws IOException {
        Post post = new Post();
        try (JsonParser p = JSON.createParser(raw)) {
            p.nextToken();
            for (String f; (f = p.nextFieldName()) != null; ) {
                p.nextToken();
                switch (f) {
                    case "data" -> data(p, post);
                    case "includes" -> includes(p, post);
                    case "matching_rules" -> each(p, (g, q) -> { if (g.equals("tag")) post.rule = q.getText(); else q.skipChildren(); });
                    default -> p.skipChildren();
                }
            }
        }
        if (post.first == null) post.first = post.id;
        return post;
    }

    private static void data(JsonParser p, Post post) throws IOException {
        for (String f; (f = p.nextFieldName()) != null; ) {
            p.nextToken();
            switch (f) {
                case "id" -> post.id = p.getText();
                case "text" -> post.text = unescape(p.getText());
                case "author_id" -> post.author = p.getText();
                case "created_at" -> post.created = p.getText();
                case "conversation_id" -> post.conversation = p.getText();
                case "in_reply_to_user_id" -> post.parentAuthor = p.getText();
                case "lang" -> post.lang = p.getText();
                case "edit_history_tweet_ids" -> {
                    while (p.nextToken() != JsonToken.END_ARRAY) if (post.first == null) post.first = p.getText();
                }
                case "entities" -> entities(p, post);
                default -> p.skipChildren();
            }
        }
    }

    private static void entities(JsonParser p, Post post) throws IOException {
        for (String f; (f = p.nextFieldName()) != null; ) {
            p.nextToken();
            switch (f) {
                case "mentions" -> pairs(p, post.mentions, "username", "id");
                case "urls" -> pairs(p, post.links, "url", "expanded_url");
                case "hashtags" -> each(p, (g, q) -> { if (g.equals("tag")) post.hashtags.add(q.getText()); else q.skipChildren(); });
                default -> p.skipChildren();
            }
        }
    }

    private interface Field { void read(String name, JsonParser p) throws IOException; }

    private static void each(JsonParser p, Field field) throws IOException {
        while (p.nextToken() == JsonToken.START_OBJECT)
            for (String f; (f = p.nextFieldName()) != null; ) {
                p.nextToken();
                field.read(f, p);
            }
    }

    private static void pairs(JsonParser p, List<String[]> into, String one, String two) throws IOException {
        while (p.nextToken() == JsonToken.START_OBJECT) {
            String[] pair = new String[2];
            for (String f; (f = p.nextFieldName()) != null; ) {
                p.nextToken();
                if (f.equals(one)) pair[0] = p.getText();
                else if (f.equals(two)) pair[1] = p.getText();
                else p.skipChildren();
            }
            into.add(pair);
        }
    }

    private static void includes(JsonParser p, Post post) throws IOException {
        for (String f; (f = p.nextFieldName()) != null; ) {
            p.nextToken();
            if (!f.equals("users")) {
                p.skipChildren();
                continue;
            }
            each(p, (g, q) -> {
                switch (g) {
                    case "username" -> post.handle = q.getText();
                    case "name" -> post.name = q.getText();
                    case "verified" -> post.verified = q.getBooleanValue();
                    case "public_metrics" -> {
                        for (String h; (h = q.nextFieldName()) != null; ) {
                            q.nextToken();
                            if (h.equals("followers_count")) post.followers = q.getIntValue();
                        }
                    }
                    default -> q.skipChildren();
                }
            });
        }
    }

    private byte[] write(Post post, double[] scores, int stage, String brand, boolean addressed, boolean unsure, String queue,
            String id, String topic, int partition, long offset, long timestamp, String now) throws IOException {
        ByteArrayBuilder bytes = new ByteArrayBuilder(1600);
        long created = Instant.parse(post.created).toEpochMilli();
        String text = clean(post.text);
        try (JsonGenerator g = JSON.createGenerator(bytes)) {
            g.writeStartObject();
            g.writeStringField("schema_version", "1.0");
            g.writeStringField("event_id", id);
            g.writeStringField("event_type", "routed");
            g.writeStringField("external_id", "x:" + post.first);
            g.writeNumberField("revision", 0);
            g.writeStringField("channel", "x");
            g.writeStringField("brand", brand);
            g.writeStringField("queue", queue);
            g.writeStringField("priority", priority(post, stage, addressed));
            long target = stage == 1 && !unsure ? 7_200_000 : 1_800_000;
            string(g, "deadline_at", stage == 2 && !unsure ? null : UTC.format(Instant.ofEpochMilli(created + target)));
            g.writeBooleanField("reply_allowed", addressed);
            g.writeStringField("conversation_id", post.conversation);
            string(g, "parent_id", null);
            string(g, "parent_author_id", post.parentAuthor);
            g.writeObjectFieldStart("author");
            g.writeStringField("external_id", post.author);
            string(g, "handle", clean(post.handle));
            string(g, "name", clean(post.name));
            g.writeNumberField("followers", post.followers);
            g.writeBooleanField("verified", post.verified);
            string(g, "avatar_url", null);
            g.writeEndObject();
            g.writeStringField("subject", subject(post.handle, text));
            g.writeStringField("text", text);
            g.writeStringField("language", post.lang);
            objects(g, "mentions", post.mentions, "username", "id");
            g.writeArrayFieldStart("hashtags");
            for (String hashtag : post.hashtags) g.writeString(clean(hashtag));
            g.writeEndArray();
            objects(g, "links", post.links, "url", "expanded_url");
            g.writeArrayFieldStart("attachments");
            g.writeEndArray();
            g.writeStringField("url", "https://x.com/i/web/status/" + post.id);
            g.writeStringField("created_at", UTC.format(Instant.ofEpochMilli(created)));
            g.writeStringField("ingested_at", UTC.format(Instant.ofEpochMilli(timestamp)));
            g.writeStringField("routed_at", now);
            classification(g, scores, stage, unsure);
            g.writeArrayFieldStart("tags");
            g.writeString(brand);
            g.writeString(queue);
            g.writeString(STAGES[stage]);
            g.writeEndArray();
            g.writeObjectFieldStart("source");
            g.writeStringField("topic", topic);
            g.writeNumberField("partition", partition);
            g.writeNumberField("offset", offset);
            g.writeStringField("api", "stream");
            g.writeEndObject();
            g.writeNumberField("attempt", 1);
            g.writeBooleanField("replayed", false);
            g.writeEndObject();
        }
        return bytes.toByteArray();
    }

    private void classification(JsonGenerator g, double[] scores, int stage, boolean unsure) throws IOException {
        g.writeObjectFieldStart("classification");
        g.writeStringField("stage", STAGES[stage]);
        g.writeNumberField("confidence", scores[stage]);
        g.writeObjectFieldStart("scores");
        for (int i = 0; i < 3; i++) g.writeNumberField(STAGES[i], scores[i]);
        g.writeEndObject();
        g.writeBooleanField("abstained", unsure);
        g.writeStringField("decided_by", "first");
        g.writeObjectFieldStart("model");
        g.writeStringField("name", "stages");
        g.writeStringField("version", version);
        g.writeStringField("sha256", sha);
        g.writeEndObject();
        g.writeEndObject();
    }

    private String priority(Post post, int stage, boolean addressed) {
        if (post.followers > 100_000) return "urgent";
        String text = post.text.toLowerCase();
        for (int i = 0, start = -1; i <= text.length(); i++) {
            boolean in = i < text.length() && (text.charAt(i) > 127 || Character.isLetterOrDigit(text.charAt(i)));
            if (in && start < 0) start = i;
            else if (!in && start >= 0) {
                if (urgent.contains(text.substring(start, i))) return "urgent";
                start = -1;
            }
        }
        return stage == 0 ? addressed ? "high" : "normal" : stage == 2 ? "low" : "normal";
    }

    private static String subject(String handle, String text) {
        String line = "@" + handle + ": " + text;
        if (line.codePointCount(0, line.length()) <= 150 && line.indexOf('\n') < 0) return line;
        line = String.join(" ", line.trim().split("\\s+"));
        if (line.codePointCount(0, line.length()) <= 150) return line;
        return line.substring(0, line.offsetByCodePoints(0, 149)).stripTrailing() + "…";
    }

    private static String clean(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c < 32 || c > 126) return Normalizer.normalize(HIDDEN.matcher(text).replaceAll(""), Normalizer.Form.NFC);
        }
        return text;
    }

    private static String unescape(String text) {
        return text.indexOf('&') < 0 ? text : text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    }

    static void string(JsonGenerator g, String name, String value) throws IOException {
        if (value == null) g.writeNullField(name);
        else g.writeStringField(name, value);
    }

    private static void objects(JsonGenerator g, String name, List<String[]> pairs, String one, String two) throws IOException {
        g.writeArrayFieldStart(name);
        for (String[] pair : pairs) {
            g.writeStartObject();
            string(g, one, pair[0]);
            string(g, two, pair[1]);
            g.writeEndObject();
        }
        g.writeEndArray();
    }

    private static byte[] bytes(UUID id) {
        return ByteBuffer.allocate(16).putLong(id.getMostSignificantBits()).putLong(id.getLeastSignificantBits()).array();
    }

    static byte[] uuid5(byte[] namespace, String name) {
        MessageDigest sha1 = SHA1.get();
        sha1.update(namespace);
        byte[] digest = java.util.Arrays.copyOf(sha1.digest(name.getBytes(StandardCharsets.UTF_8)), 16);
        digest[6] = (byte) (digest[6] & 0x0f | 0x50);
        digest[8] = (byte) (digest[8] & 0x3f | 0x80);
        return digest;
    }

    static String uuid(byte[] id) {
        ByteBuffer buffer = ByteBuffer.wrap(id);
        return new UUID(buffer.getLong(), buffer.getLong()).toString();
    }
}
