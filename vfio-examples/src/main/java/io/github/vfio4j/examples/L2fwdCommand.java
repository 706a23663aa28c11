package io.github.vfio4j.examples;

import io.github.vfio4j.Device;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.examples.net.L2Forwarder;
import io.github.vfio4j.examples.net.NetPort;
import io.github.vfio4j.examples.net.PacketPool;
import io.github.vfio4j.examples.net.PacketStream;
import io.github.vfio4j.examples.net.PortStatistics;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code vfio l2fwd}: DPDK's example. Forwards between two ports, or back out of one; with {@code --verify} it also drives
 * the cards at the other ends of the wires, sends numbered packets through, and checks each that comes back.
 */
final class L2fwdCommand {
    private static final int ENTRIES = 512;
    private static final int PACKETS = 4 * ENTRIES;
    private static final int WINDOW = 256;
    private static final int LONGEST = 1514;
    private static final long STALLED_NANOS = 5_000_000_000L;

    private final Vfio vfio;
    private final PrintStream out;
    private final Arguments arguments;
    private volatile boolean stopped;

    L2fwdCommand(Vfio vfio, PrintStream out, Arguments arguments) {
        this.vfio = vfio;
        this.out = out;
        this.arguments = arguments;
    }

    void run() {
        boolean verify = arguments.flags().contains("--verify");
        int wanted = arguments.devices().isEmpty() ? verify ? 4 : 2 : arguments.devices().size();
        if (wanted == 3 || verify && wanted == 1) {
            throw new CommandException(verify
                    ? "l2fwd --verify takes PORT PEER, or PORT PEER PORT PEER"
                    : "l2fwd takes one port or two");
        }
        List<PciDevice> found = Choice.of(vfio, "network card that a driver here drives", NetPorts::isDriven)
                .choose(arguments.devices(), wanted);
        try (NetPorts cards = new NetPorts(vfio, arguments.way())) {
            List<Device> devices = new ArrayList<>();
            found.forEach(card -> devices.add(cards.open(card)));
            int step = verify ? 2 : 1; // with peers, each port is followed by its own
            int count = wanted / step;
            PacketPool pool = cards.pool(PACKETS * count);
            NetPort[] ports = new NetPort[count];
            for (int i = 0; i < count; i++) {
                ports[i] = cards.start(found.get(step * i), devices.get(step * i), pool, ENTRIES);
                out.println("port %d         %s, %s".formatted(i, found.get(step * i).address(), mac(ports[i].macAddress())));
            }
            for (NetPort port : ports) {
                NetPorts.awaitLink(port);
            }
            L2Forwarder forwarder = new L2Forwarder(pool, ports);
            if (verify) {
                PacketPool peerPool = cards.pool(PACKETS * count);
                NetPort[] peers = new NetPort[count];
                for (int i = 0; i < count; i++) {
                    peers[i] = cards.start(found.get(2 * i + 1), devices.get(2 * i + 1), peerPool, ENTRIES);
                    NetPorts.awaitLink(peers[i]);
                }
                verify(forwarder, ports, peers, peerPool);
            } else {
                forward(forwarder, ports);
            }
        }
    }

    private void forward(L2Forwarder forwarder, NetPort[] ports) {
        long seconds = arguments.number("--seconds", 10, 1, Integer.MAX_VALUE);
        long start = System.nanoTime();
        long shown = start;
        while (System.nanoTime() - start < seconds * 1_000_000_000) {
            for (int i = 0; i < 1024; i++) {
                forwarder.poll();
            }
            if (System.nanoTime() - shown > 1_000_000_000) {
                shown += 1_000_000_000;
                print(forwarder, ports);
            }
        }
        print(forwarder, ports);
    }

    private void verify(L2Forwarder forwarder, NetPort[] ports, NetPort[] peers, PacketPool pool) {
        long packets = arguments.number("--packets", 100_000, 1, Long.MAX_VALUE / 2);
        long seed = arguments.number("--seed", System.nanoTime(), Long.MIN_VALUE, Long.MAX_VALUE);
        int longest = (int) arguments.number("--bytes", LONGEST, 64, LONGEST);
        boolean flood = arguments.flags().contains("--flood");
        out.println("seed           " + seed);
        PacketStream[] streams = new PacketStream[peers.length];
        for (int i = 0; i < peers.length; i++) {
            int leaves = peers.length == 1 ? 0 : i ^ 1;
            streams[i] = new PacketStream(
                    pool,
                    peers[i],
                    peers[leaves],
                    ports[i].macAddress(),
                    L2Forwarder.destination(leaves),
                    ports[leaves].macAddress(),
                    seed + i,
                    longest,
                    flood ? Integer.MAX_VALUE : WINDOW);
        }
        long start = System.nanoTime();
        Crew.run(
                List.<Runnable>of(
                        () -> {
                            while (!stopped) {
                                forwarder.poll();
                            }
                        },
                        () -> {
                            try {
                                drive(streams, packets);
                            } finally {
                                stopped = true;
                            }
                        }),
                (task, _) -> task.run());
        double seconds = (System.nanoTime() - start) / 1e9;
        print(forwarder, ports);
        report(forwarder, streams, seconds);
    }

    private static void drive(PacketStream[] streams, long packets) {
        long progress = System.nanoTime();
        while (true) {
            int moved = 0;
            boolean open = false;
            for (PacketStream stream : streams) {
                moved += stream.send(packets) + stream.receive();
                open |= stream.sent() < packets || stream.onTheWay() > 0;
            }
            if (!open) {
                return;
            }
            if (moved > 0) {
                progress = System.nanoTime();
            } else if (System.nanoTime() - progress > STALLED_NANOS) {
                for (PacketStream stream : streams) {
                    stream.giveUp();
                    if (stream.sent() < packets) {
                        throw new CommandException("nothing moved for 5 s after %d of %d packets"
                                .formatted(stream.sent(), packets));
                    }
                }
            }
        }
    }

    private void report(L2Forwarder forwarder, PacketStream[] streams, double seconds) {
        long sent = 0;
        long received = 0;
        long lost = 0;
        long reordered = 0;
        long corrupted = 0;
        for (PacketStream stream : streams) {
            sent += stream.sent();
            received += stream.received();
            lost += stream.lost();
            reordered += stream.reordered();
            corrupted += stream.corrupted();
        }
        out.println("rate           %s packets a second".formatted(Sizes.count((long) (received / seconds))));
        String counts = "%s packets sent, %s came back; %s lost, %s out of order, %s changed"
                .formatted(
                        Sizes.count(sent),
                        Sizes.count(received),
                        Sizes.count(lost),
                        Sizes.count(reordered),
                        Sizes.count(corrupted));
        // Then rings run full and drop, as they should; and QEMU lets packets overtake those that it queued for a full
        // ring.
        boolean flood = arguments.flags().contains("--flood");
        if (corrupted != 0 || received == 0 || lost < 0 || !flood && (lost != 0 || reordered != 0)) {
            throw new CommandException(counts);
        }
        out.println("verified       " + counts + ", %s forwarded".formatted(Sizes.count(forwarder.forwarded())));
    }

    private void print(L2Forwarder forwarder, NetPort[] ports) {
        for (int i = 0; i < ports.length; i++) {
            PortStatistics s = ports[i].statistics();
            out.println("port %d         received %s, sent %s; dropped: %s ring full, %s no packet, %s broken, %s missed"
                    .formatted(
                            i,
                            Sizes.count(s.received()),
                            Sizes.count(s.sent()),
                            Sizes.count(forwarder.dropped(i)),
                            Sizes.count(s.withoutBuffer()),
                            Sizes.count(s.bad()),
                            Sizes.count(s.missed())));
        }
    }

    static String mac(long address) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 6; i++) {
            text.append(i == 0 ? "" : ":").append("%02x".formatted(address >>> 8 * i & 0xff));
        }
        return text.toString();
    }
}
