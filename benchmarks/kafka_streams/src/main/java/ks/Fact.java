package ks;

import com.fasterxml.jackson.core.JsonParser;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/** One thing that happened in a conversation: pipeline/facts.py; read from a routed record as pipeline/heard.py does. */
record Fact(long at, boolean answer, String id, int queue, int marks, int revision, String who, String parent, long place) implements Comparable<Fact> {
    static final List<String> QUEUES = List.of("reactive", "proactive", "engagement", "review", "own");
    static final int THANKS = 1, PRAISE = 2, TO_DM = 4, TO_EMAIL = 8, PERSON = 128;

    /** A fact, and whose conversation it belongs to. */
    record Heard(String customer, String brand, String conversation, Fact fact) {
        byte[] key() {
            return Main.bytes(String.join("\u001f", customer, brand, conversation));
        }
    }

    /** What the texts are searched for: pipeline/phrases.py. */
    record Phrases(Set<String> thanks, Set<String> along, Pattern noWords, Pattern emoji, Pattern praise, Pattern dm, Pattern email) {
        boolean onlyThanks(String text) {
            if (text.indexOf('?') >= 0 || text.length() > 200) return false;
            boolean thanked = false, words = false;
            for (String word : noWords.matcher(text.toLowerCase().replace('’', '\'')).replaceAll(" ").split("\\s+")) {
                if (word.isEmpty()) continue;
                words = true;
                if (thanks.contains(word)) thanked = true;
                else if (!along.contains(word)) return false;
            }
            return words ? thanked : emoji.matcher(text).find();
        }
    }

    private static final class Routed {
        String id, type, brand, queue, conversation, author, handle, text, created, stage, decidedBy = "first", parent, parentAuthor;
        int revision;
    }

    /** What a record says; null: nothing about a customer's wait. */
    static Heard heard(byte[] value, long place, Phrases phrases, Set<String> own) {
        try {
            Routed r = read(value);
            if (!r.type.equals("routed")) return null;
            String id = r.id.startsWith("x:") ? r.id.substring(2) : r.id;
            long at = Instant.parse(r.created).toEpochMilli();
            if (!r.queue.equals("own")) {
                int marks = phrases.onlyThanks(r.text) ? THANKS : 0;
                if (r.stage.equals("engagement") && phrases.praise.matcher(r.text).find()) marks |= PRAISE;
                if (r.decidedBy.equals("person")) marks |= PERSON;
                return new Heard(r.author, r.brand, r.conversation, new Fact(at, false, id, QUEUES.indexOf(r.queue), marks, r.revision, "", "", place));
            }
            if (r.parentAuthor == null || r.parentAuthor.equals(r.author) || own.contains(r.parentAuthor.toLowerCase())) return null;
            int marks = phrases.dm.matcher(r.text).find() ? TO_DM : phrases.email.matcher(r.text).find() ? TO_EMAIL : 0;
            String who = r.handle != null ? r.handle : r.author, parent = r.parent != null ? r.parent : "";
            return new Heard(r.parentAuthor, r.brand, r.conversation, new Fact(at, true, id, -1, marks, r.revision, who, parent, place));
        } catch (IOException e) {
            throw new IllegalArgumentException(e);
        }
    }

    private static Routed read(byte[] value) throws IOException {
        Routed r = new Routed();
        try (JsonParser p = Route.JSON.createParser(value)) {
            p.nextToken();
            for (String f; (f = p.nextFieldName()) != null; ) {
                p.nextToken();
                switch (f) {
                    case "external_id" -> r.id = p.getText();
                    case "event_type" -> r.type = p.getText();
                    case "revision" -> r.revision = p.getIntValue();
                    case "brand" -> r.brand = p.getText();
                    case "queue" -> r.queue = p.getText();
                    case "conversation_id" -> r.conversation = p.getText();
                    case "parent_id" -> r.parent = p.getValueAsString();
                    case "parent_author_id" -> r.parentAuthor = p.getValueAsString();
                    case "text" -> r.text = p.getText();
                    case "created_at" -> r.created = p.getText();
                    case "author" -> author(p, r);
                    case "classification" -> classification(p, r);
                    default -> p.skipChildren();
                }
            }
        }
        return r;
    }

    private static void author(JsonParser p, Routed r) throws IOException {
        for (String f; (f = p.nextFieldName()) != null; ) {
            p.nextToken();
            if (f.equals("external_id")) r.author = p.getText();
            else if (f.equals("handle")) r.handle = p.getValueAsString();
            else p.skipChildren();
        }
    }

    private static void classification(JsonParser p, Routed r) throws IOException {
        for (String f; (f = p.nextFieldName()) != null; ) {
            p.nextToken();
            if (f.equals("stage")) r.stage = p.getText();
            else if (f.equals("decided_by")) r.decidedBy = p.getText();
            else p.skipChildren();
        }
    }

    /** In the order in which things happened; of one instant, questions before answers. */
    @Override
    public int compareTo(Fact other) {
        int found = Long.compare(at, other.at);
        if (found == 0) found = Boolean.compare(answer, other.answer);
        return found != 0 ? found : id.compareTo(other.id);
    }

    Fact notBefore(long time) {
        return at >= time ? this : new Fact(time, answer, id, queue, marks, revision, who, parent, place);
    }

    void write(DataOutputStream out) throws IOException {
        out.writeLong(at);
        out.writeBoolean(answer);
        out.writeUTF(id);
        out.writeByte(queue);
        out.writeShort(marks);
        out.writeInt(revision);
        out.writeUTF(who);
        out.writeUTF(parent);
        out.writeLong(place);
    }

    static Fact of(DataInputStream in) throws IOException {
        return new Fact(in.readLong(), in.readBoolean(), in.readUTF(), in.readByte(), in.readShort(), in.readInt(), in.readUTF(), in.readUTF(), in.readLong());
    }
}
