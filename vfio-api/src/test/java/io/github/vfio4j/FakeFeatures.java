package io.github.vfio4j;

import io.github.vfio4j.spi.DmaBufPort;
import io.github.vfio4j.spi.EventPort;
import io.github.vfio4j.spi.FeaturePort;
import io.github.vfio4j.spi.MigrationPort;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

/** A device that has every feature and writes down what it is asked. */
final class FakeFeatures implements FeaturePort {
    final Set<DeviceFeature> present = EnumSet.allOf(DeviceFeature.class);
    final Set<MigrationSupport> migration = EnumSet.allOf(MigrationSupport.class);
    final ByteArrayOutputStream written = new ByteArrayOutputStream();
    byte[] state = {};
    MigrationState now = MigrationState.RUNNING;

    private final List<String> calls;
    private int position;

    FakeFeatures(List<String> calls) {
        this.calls = calls;
    }

    @Override
    public boolean has(DeviceFeature feature) {
        return present.contains(feature);
    }

    @Override
    public void setVfToken(UUID token) {
        calls.add("token " + token);
    }

    @Override
    public void enterLowPower(EventPort wakeup) {
        calls.add("low power" + (wakeup == null ? "" : " until " + wakeup));
    }

    @Override
    public void exitLowPower() {
        calls.add("full power");
    }

    @Override
    public Set<MigrationSupport> migration() {
        return migration;
    }

    @Override
    public MigrationState migrationState() {
        return now;
    }

    @Override
    public Optional<MigrationPort> setMigrationState(MigrationState next) {
        calls.add("to " + next);
        now = next;
        boolean opens = next == MigrationState.STOP_COPY || next == MigrationState.RESUMING;
        return opens ? Optional.of(new Stream()) : Optional.empty();
    }

    @Override
    public long migrationDataSize() {
        return state.length;
    }

    @Override
    public void tellPrecopyReinit() {
        calls.add("tell reinit");
    }

    @Override
    public long startDmaLogging(long pageSize, List<IovaRange> ranges) {
        calls.add("log " + ranges);
        return 4096;
    }

    @Override
    public void stopDmaLogging() {
        calls.add("end log");
    }

    @Override
    public long[] reportDmaLogging(long iova, long size, long pageSize) {
        return new long[] {2};
    }

    @Override
    public void setBusMaster(boolean on) {
        calls.add("bus master " + on);
    }

    @Override
    public DmaBufPort exportDmaBuf(int region, List<RegionInfo.Area> parts) {
        calls.add("share " + parts.size() + " of " + region);
        return () -> calls.add("close dma-buf");
    }

    private final class Stream implements MigrationPort {
        @Override
        public long read(MemorySegment target) {
            int size = (int) Math.min(target.byteSize(), state.length - position);
            MemorySegment.copy(MemorySegment.ofArray(state), position, target, 0, size);
            position += size;
            return size == 0 ? -1 : size;
        }

        @Override
        public long write(MemorySegment source) {
            long size = Math.min(source.byteSize(), 3); // a short write
            written.writeBytes(source.asSlice(0, size).toArray(ValueLayout.JAVA_BYTE));
            return size;
        }

        @Override
        public PrecopyInfo precopyInfo() {
            return new PrecopyInfo(1, 2, false);
        }

        @Override
        public void close() {
            calls.add("close stream");
        }
    }
}
