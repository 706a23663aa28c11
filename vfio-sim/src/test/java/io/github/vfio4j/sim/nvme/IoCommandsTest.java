package io.github.vfio4j.sim.nvme;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.sim.nvme.Rig.Ring;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class IoCommandsTest {
    private static final long SEED = 42;
    private static final long BLOCKS = (64L << 20) / 512;

    private final Rig rig = Rig.enabled();
    private final Ring ring = rig.createPair(1, 16, -1);

    @AfterEach
    void powerOff() {
        rig.close();
    }

    @Test
    void whatWasNeverWrittenReadsAsZeros() {
        long page = rig.pages(1);
        rig.bus.at(page).asSlice(0, 4096).fill((byte) 0x55);
        expectSuccess(Sqe.read(1000, 8, page, 0));
        assertThat(rig.bus.at(page).asSlice(0, 4096).toArray(JAVA_BYTE)).containsOnly(0);
    }

    @Test
    void aBlockReadsAsItWasWritten() {
        long from = random(512);
        long to = rig.pages(1);
        expectSuccess(Sqe.write(5, 1, from, 0));
        expectSuccess(Sqe.read(5, 1, to, 0));
        expectSame(from, to, 512);
    }

    @Test
    void aWriteLeavesItsNeighboursAlone() {
        long from = random(512);
        long to = rig.pages(1);
        expectSuccess(Sqe.write(5, 1, from, 0));
        expectSuccess(Sqe.read(4, 3, to, 0));
        assertThat(rig.bus.at(to).asSlice(0, 512).toArray(JAVA_BYTE)).containsOnly(0);
        expectSame(from, to + 512, 512);
        assertThat(rig.bus.at(to).asSlice(1024, 512).toArray(JAVA_BYTE)).containsOnly(0);
    }

    @Test
    void aReadWritesNoMoreThanItsBlocks() {
        long to = rig.pages(1);
        rig.bus.at(to).asSlice(0, 4096).fill((byte) 0x55);
        expectSuccess(Sqe.read(0, 1, to + 512, 0));
        assertThat(rig.bus.at(to).asSlice(0, 512).toArray(JAVA_BYTE)).containsOnly(0x55);
        assertThat(rig.bus.at(to).asSlice(1024, 3072).toArray(JAVA_BYTE)).containsOnly(0x55);
    }

    @Test
    void theLastBlockCanBeWritten() {
        long from = random(512);
        long to = rig.pages(1);
        expectSuccess(Sqe.write(BLOCKS - 1, 1, from, 0));
        expectSuccess(Sqe.read(BLOCKS - 1, 1, to, 0));
        expectSame(from, to, 512);
    }

    @Test
    void dataMayStartWithinAPageAndEndInTheSecond() {
        long from = random(8192);
        long to = rig.pages(2);
        expectSuccess(Sqe.write(0, 8, from + 1024, from + 4096));
        expectSuccess(Sqe.read(0, 8, to + 1024, to + 4096));
        expectSame(from + 1024, to + 1024, 4096);
    }

    @Test
    void twoPagesNeedNotBeNeighbours() {
        long first = random(4096);
        rig.pages(3);
        long second = random(4096);
        long to = rig.pages(2);
        expectSuccess(Sqe.write(0, 16, first, second));
        expectSuccess(Sqe.read(0, 16, to, to + 4096));
        expectSame(first, to, 4096);
        expectSame(second, to + 4096, 4096);
    }

    @ParameterizedTest(name = "{0} blocks")
    @ValueSource(ints = {17, 24, 128, 1000, 1024})
    void aListOfPagesCarriesLargeTransfers(int blocks) {
        int bytes = blocks * 512;
        long from = random(bytes);
        long to = rig.pages((bytes + 4095) / 4096);
        expectSuccess(Sqe.write(77, blocks, from, list(from + 4096, bytes - 4096)));
        expectSuccess(Sqe.read(77, blocks, to, list(to + 4096, bytes - 4096)));
        expectSame(from, to, bytes);
    }

    @Test
    void aListMayStartWithinAPageAndGoOnInTheNext() {
        int bytes = 128 << 10;
        long from = random(bytes);
        long to = rig.pages(bytes / 4096);
        long first = rig.pages(1);
        rig.pages(1);
        long second = rig.pages(1);
        // 31 entries: 9 in the last slots of the first page, the tenth slot leads to the second page, which has 22.
        for (int i = 0; i < 9; i++) {
            rig.bus.at(first).set(JAVA_LONG, 4096 - 80 + 8L * i, to + 4096L * (i + 1));
        }
        rig.bus.at(first).set(JAVA_LONG, 4096 - 8, second);
        for (int i = 9; i < 31; i++) {
            rig.bus.at(second).set(JAVA_LONG, 8L * (i - 9), to + 4096L * (i + 1));
        }
        expectSuccess(Sqe.write(0, bytes / 512, from, list(from + 4096, bytes - 4096)));
        expectSuccess(Sqe.read(0, bytes / 512, to, first + 4096 - 80));
        expectSame(from, to, bytes);
    }

    @Test
    void aListThatFillsItsPageToTheLastSlotDoesNotGoOn() {
        int bytes = 16 << 10;
        long from = random(bytes);
        long to = rig.pages(4);
        long list = rig.pages(1);
        for (int i = 0; i < 3; i++) {
            rig.bus.at(list).set(JAVA_LONG, 4096 - 24 + 8L * i, to + 4096L * (i + 1));
        }
        expectSuccess(Sqe.write(0, 32, from, list(from + 4096, bytes - 4096)));
        expectSuccess(Sqe.read(0, 32, to, list + 4096 - 24));
        expectSame(from, to, bytes);
    }

    @Test
    void largerPagesNeedFewerEntries() {
        rig.disable();
        rig.enable(16, Rig.ENABLE | 2 << 7);
        Ring large = rig.createPair(1, 16, -1);
        rig.align(16384);
        long from = random(32768);
        long to = rig.pages(8);
        assertThat(large.run(Sqe.write(0, 64, from, from + 16384)).status()).isEqualTo(Status.SUCCESS);
        assertThat(large.run(Sqe.read(0, 64, to, to + 16384)).status()).isEqualTo(Status.SUCCESS);
        expectSame(from, to, 32768);
    }

    @Test
    void flushIsForOneNamespaceOrAll() {
        assertThat(ring.run(Sqe.command(0).namespace(1)).status()).isEqualTo(Status.SUCCESS);
        assertThat(ring.run(Sqe.command(0).namespace(-1)).status()).isEqualTo(Status.SUCCESS);
        assertThat(ring.run(Sqe.command(0).namespace(2)).status()).isEqualTo(Status.INVALID_NAMESPACE);
    }

    @ParameterizedTest(name = "opcode {0}")
    @ValueSource(ints = {0x04, 0x05, 0x08, 0x09, 0x80, 0xff})
    void anUnknownOpcodeIsRefused(int opcode) {
        assertThat(ring.run(Sqe.command(opcode).namespace(1)).status()).isEqualTo(Status.INVALID_OPCODE);
    }

    @ParameterizedTest(name = "namespace {0}")
    @ValueSource(ints = {0, 2, -1})
    void aNamespaceThatIsNotThereIsRefused(int namespace) {
        long page = rig.pages(1);
        assertThat(ring.run(Sqe.read(0, 1, page, 0).namespace(namespace)).status())
                .isEqualTo(Status.INVALID_NAMESPACE);
        assertThat(ring.run(Sqe.write(0, 1, page, 0).namespace(namespace)).status())
                .isEqualTo(Status.INVALID_NAMESPACE);
    }

    @ParameterizedTest(name = "block {0}")
    @ValueSource(longs = {BLOCKS, BLOCKS + 1, 1L << 32, Long.MAX_VALUE, -1, Long.MIN_VALUE})
    void aBlockBeyondTheEndIsRefused(long block) {
        long page = rig.pages(1);
        assertThat(ring.run(Sqe.read(block, 1, page, 0)).status()).isEqualTo(Status.LBA_OUT_OF_RANGE);
        assertThat(ring.run(Sqe.write(block, 1, page, 0)).status()).isEqualTo(Status.LBA_OUT_OF_RANGE);
    }

    @Test
    void blocksThatReachBeyondTheEndAreRefused() {
        assertThat(ring.run(Sqe.read(BLOCKS - 1, 2, rig.pages(1), 0)).status()).isEqualTo(Status.LBA_OUT_OF_RANGE);
    }

    @ParameterizedTest(name = "{0} blocks")
    @ValueSource(ints = {1025, 65536})
    void moreThanTheLongestTransferIsRefused(int blocks) {
        assertThat(ring.run(Sqe.read(0, blocks, rig.pages(1), 0)).status()).isEqualTo(Status.INVALID_FIELD);
    }

    @Test
    void sglsAreRefused() {
        assertThat(ring.run(Sqe.read(0, 1, rig.pages(1), 0).flags(1 << 14)).status())
                .isEqualTo(Status.INVALID_FIELD);
    }

    @Test
    void fusedCommandsAreRefused() {
        assertThat(ring.run(Sqe.read(0, 1, rig.pages(1), 0).flags(1 << 8)).status())
                .isEqualTo(Status.INVALID_FIELD);
    }

    @ParameterizedTest(name = "offset {0}")
    @ValueSource(ints = {1, 2, 511})
    void theFirstPrpMustBeAMultipleOfFour(int offset) {
        assertThat(ring.run(Sqe.read(0, 1, rig.pages(1) + offset, 0)).status())
                .isEqualTo(Status.INVALID_PRP_OFFSET);
    }

    @Test
    void theSecondPageMustBeWhole() {
        long pages = rig.pages(3);
        assertThat(ring.run(Sqe.read(0, 16, pages, pages + 4096 + 512)).status())
                .isEqualTo(Status.INVALID_PRP_OFFSET);
    }

    @Test
    void aListMustStartAtAMultipleOfEight() {
        long pages = rig.pages(4);
        assertThat(ring.run(Sqe.read(0, 32, pages, list(pages + 4096, 12288) + 4)).status())
                .isEqualTo(Status.INVALID_PRP_OFFSET);
    }

    @Test
    void thePagesInAListMustBeWhole() {
        long pages = rig.pages(5);
        assertThat(ring.run(Sqe.read(0, 32, pages, list(pages + 4096 + 4, 12288)).namespace(1)).status())
                .isEqualTo(Status.INVALID_PRP_OFFSET);
    }

    @Test
    void aListThatLeadsToItselfIsRefused() {
        long list = rig.pages(1);
        rig.bus.at(list).set(JAVA_LONG, 4096 - 8, list + 4096 - 8);
        assertThat(ring.run(Sqe.read(0, 64, rig.pages(8), list + 4096 - 8)).status())
                .isEqualTo(Status.INVALID_PRP_OFFSET);
    }

    @Test
    void aWrongPageInAListMovesNoData() {
        long list = list(rig.pages(3), 8192);
        rig.bus.at(list).set(JAVA_LONG, 16, 12);
        long from = random(4096);
        assertThat(ring.run(Sqe.write(0, 32, from, list)).status()).isEqualTo(Status.INVALID_PRP_OFFSET);
        long to = rig.pages(1);
        expectSuccess(Sqe.read(0, 8, to, 0));
        assertThat(rig.bus.at(to).asSlice(0, 4096).toArray(JAVA_BYTE)).containsOnly(0);
    }

    @Test
    void memoryThatCannotBeReachedIsATransferError() {
        assertThat(ring.run(Sqe.read(0, 1, 0xdead_0000L, 0)).status()).isEqualTo(Status.DATA_TRANSFER_ERROR);
        assertThat(ring.run(Sqe.write(0, 1, 0xdead_0000L, 0)).status()).isEqualTo(Status.DATA_TRANSFER_ERROR);
        assertThat(ring.run(Sqe.read(0, 16, rig.pages(1), 0xdead_0000L)).status())
                .isEqualTo(Status.DATA_TRANSFER_ERROR);
    }

    @Test
    void aListThatCannotBeReachedIsATransferError() {
        assertThat(ring.run(Sqe.read(0, 32, rig.pages(1), 0xdead_0000L)).status())
                .isEqualTo(Status.DATA_TRANSFER_ERROR);
    }

    @Test
    void afterATransferErrorTheQueueWorksOn() {
        ring.run(Sqe.read(0, 1, 0xdead_0000L, 0));
        assertThat(rig.read32(Registers.CSTS)).isEqualTo(Registers.CSTS_READY);
        expectSuccess(Sqe.read(0, 1, rig.pages(1), 0));
    }

    @Test
    void aQueueThatCannotBeReachedIsFatal() {
        rig.bus.refuseDma();
        ring.submit(Sqe.read(0, 1, rig.pages(1), 0));
        rig.awaitStatus(Registers.CSTS_READY | Registers.CSTS_FATAL);
    }

    @Test
    void everyBlockOfARandomRunReadsAsItWasLastWritten() {
        Random random = new Random(SEED);
        System.out.println("seed " + SEED);
        byte[] disk = new byte[1 << 20];
        long buffer = rig.pages(16);
        long list = list(buffer + 4096, 15 * 4096);
        for (int i = 0; i < 2000; i++) {
            int blocks = 1 + random.nextInt(128);
            int block = random.nextInt(disk.length / 512 - blocks + 1);
            MemorySegment data = rig.bus.at(buffer).asSlice(0, blocks * 512L);
            long prp2 = blocks <= 16 ? buffer + 4096 : list;
            if (random.nextBoolean()) {
                byte[] bytes = new byte[blocks * 512];
                random.nextBytes(bytes);
                data.copyFrom(MemorySegment.ofArray(bytes));
                expectSuccess(Sqe.write(block, blocks, buffer, prp2));
                System.arraycopy(bytes, 0, disk, block * 512, bytes.length);
            } else {
                expectSuccess(Sqe.read(block, blocks, buffer, prp2));
                MemorySegment expected = MemorySegment.ofArray(disk).asSlice(block * 512L, blocks * 512L);
                assertThat(data.mismatch(expected)).as("read %d of %d at %d", i, blocks, block).isEqualTo(-1);
            }
        }
    }

    private void expectSuccess(Sqe command) {
        assertThat(ring.run(command).status()).isEqualTo(Status.SUCCESS);
    }

    /** New pages with random data; whole pages, so that different data never shares one. */
    private long random(int bytes) {
        int pages = (bytes + 4095) / 4096;
        long iova = rig.pages(pages);
        byte[] data = new byte[pages * 4096];
        new Random(SEED + iova).nextBytes(data);
        rig.bus.at(iova).asSlice(0, data.length).copyFrom(MemorySegment.ofArray(data));
        return iova;
    }

    /** A list of the pages from an IOVA on. */
    private long list(long iova, int bytes) {
        long list = rig.pages(1);
        for (int i = 0; i * 4096 < bytes; i++) {
            rig.bus.at(list).set(JAVA_LONG, 8L * i, iova + i * 4096L);
        }
        return list;
    }

    private void expectSame(long expected, long actual, int bytes) {
        long mismatch = rig.bus.at(expected).asSlice(0, bytes).mismatch(rig.bus.at(actual).asSlice(0, bytes));
        assertThat(mismatch).as("first byte that differs").isEqualTo(-1);
    }
}
