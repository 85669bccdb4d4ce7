package ks;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The state of one conversation, in a compact binary form: pipeline/turns.py and pipeline/changes.py as far as the
 * benchmark's events need them. Facts are kept, in whatever order they came; turns follow from them. What only time
 * brings (breaches told, outcomes, forgetting) is left out, and so are edits that change what was told.
 */
final class Conversation {
    static final long NEVER = 1L << 62;
    private static final long[] TARGETS = {1_800_000, 7_200_000, NEVER, 1_800_000};

    /** One wait. */
    static final class Turn {
        String post, answer = "", who = "";
        long opened, near = NEVER, due = NEVER, ended;
        int queue, posts = 1;
        boolean wanted, first, praise, answered, isNear, breached;

        void passTime(long at) {
            isNear = near < at;
            breached = due < at;
        }

        void write(DataOutputStream out) throws IOException {
            for (String text : new String[] {post, answer, who}) out.writeUTF(text);
            for (long number : new long[] {opened, near, due, ended}) out.writeLong(number);
            out.writeByte(queue);
            out.writeInt(posts);
            for (boolean flag : new boolean[] {wanted, first, praise, answered, isNear, breached}) out.writeBoolean(flag);
        }

        static Turn of(DataInputStream in) throws IOException {
            Turn turn = new Turn();
            turn.post = in.readUTF();
            turn.answer = in.readUTF();
            turn.who = in.readUTF();
            turn.opened = in.readLong();
            turn.near = in.readLong();
            turn.due = in.readLong();
            turn.ended = in.readLong();
            turn.queue = in.readByte();
            turn.posts = in.readInt();
            turn.wanted = in.readBoolean();
            turn.first = in.readBoolean();
            turn.praise = in.readBoolean();
            turn.answered = in.readBoolean();
            turn.isNear = in.readBoolean();
            turn.breached = in.readBoolean();
            return turn;
        }
    }

    /** One thing to tell. */
    record Told(String change, long at, Turn turn) {}

    int version;
    long clock;
    List<Fact> facts = new ArrayList<>(2);
    List<Turn> turns = new ArrayList<>(1);

    /** Add a fact and say what there is to tell. */
    List<Told> advance(Fact fact) {
        clock = Math.max(clock, fact.at());
        version++;
        add(fact);
        List<Turn> before = turns;
        turns = view();
        List<Told> told = new ArrayList<>(2);
        for (Turn turn : turns) {
            Turn was = null;
            for (Turn one : before) if (one.post.equals(turn.post)) was = one;
            if (turn.wanted && (was == null || !was.wanted)) told.add(new Told("OPENED", turn.opened, turn));
            else if (was != null && turn.posts > was.posts && turn.wanted) told.add(new Told("FOLLOWED_UP", turn.opened, turn));
            if (turn.answered && (was == null || !was.answered)) told.add(new Told("ANSWERED", turn.ended, turn));
        }
        return told;
    }

    private void add(Fact fact) {
        for (int i = 0; i < facts.size(); i++)
            if (facts.get(i).id().equals(fact.id())) {
                if (facts.get(i).revision() < fact.revision()) facts.set(i, fact);
                return;
            }
        facts.add(fact);
        facts.sort(null);
    }

    private List<Turn> view() {
        Map<String, Long> asked = new HashMap<>();
        for (Fact fact : facts) if (!fact.answer()) asked.put(fact.id(), fact.at());
        List<Fact> ordered = new ArrayList<>(facts.size());
        for (Fact fact : facts) ordered.add(fact.notBefore(asked.getOrDefault(fact.parent(), 0L)));
        ordered.sort(null);
        List<Turn> found = new ArrayList<>(1);
        boolean answered = false;
        Turn open = null;
        for (Fact fact : ordered) {
            if (open != null) open.passTime(fact.at());
            if (!fact.answer()) {
                if (open != null) open.posts++;
                else if ((fact.marks() & Fact.THANKS) == 0 || !answered) found.add(open = opened(fact, !answered));
            } else if (open != null) {
                open.answer = fact.id();
                open.who = fact.who();
                open.answered = answered = true;
                open.ended = Math.max(fact.at(), open.opened);
                open = null;
            }
        }
        if (open != null) open.passTime(clock);
        return found;
    }

    private static Turn opened(Fact fact, boolean first) {
        Turn turn = new Turn();
        turn.post = fact.id();
        turn.opened = fact.at();
        turn.queue = fact.queue();
        turn.first = first;
        turn.praise = (fact.marks() & Fact.PRAISE) != 0;
        turn.wanted = TARGETS[fact.queue()] != NEVER;
        if (turn.wanted) {
            turn.near = fact.at() + (long) (TARGETS[fact.queue()] * 0.8);
            turn.due = fact.at() + TARGETS[fact.queue()];
        }
        return turn;
    }

    byte[] encoded() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeInt(version);
            out.writeLong(clock);
            out.writeByte(facts.size());
            for (Fact fact : facts) fact.write(out);
            out.writeByte(turns.size());
            for (Turn turn : turns) turn.write(out);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        return bytes.toByteArray();
    }

    static Conversation of(byte[] state) {
        Conversation found = new Conversation();
        if (state == null) return found;
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(state))) {
            found.version = in.readInt();
            found.clock = in.readLong();
            for (int left = in.readUnsignedByte(); left > 0; left--) found.facts.add(Fact.of(in));
            for (int left = in.readUnsignedByte(); left > 0; left--) found.turns.add(Turn.of(in));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        return found;
    }
}
