package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.EehError;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.Operation;
import io.github.vfio4j.PeState;
import io.github.vfio4j.SpaprInfo;
import io.github.vfio4j.ffm.gen.vfio_eeh_pe_err;
import io.github.vfio4j.ffm.gen.vfio_eeh_pe_op;
import io.github.vfio4j.ffm.gen.vfio_iommu_spapr_register_memory;
import io.github.vfio4j.ffm.gen.vfio_iommu_spapr_tce_create;
import io.github.vfio4j.ffm.gen.vfio_iommu_spapr_tce_ddw_info;
import io.github.vfio4j.ffm.gen.vfio_iommu_spapr_tce_info;
import io.github.vfio4j.ffm.gen.vfio_iommu_spapr_tce_remove;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.spi.EehStep;
import io.github.vfio4j.spi.SpaprPort;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.function.Consumer;

/** The ioctls of a container that PowerPC alone has. */
final class FfmSpapr implements SpaprPort {
    private final Fd fd;

    FfmSpapr(Fd fd) {
        this.fd = fd;
    }

    @Override
    public SpaprInfo info() {
        Frame frame = fd.begin(Operation.SPAPR_GET_INFO);
        try {
            MemorySegment info = zeroed(frame, vfio_iommu_spapr_tce_info.sizeof());
            vfio_iommu_spapr_tce_info.argsz(info, (int) info.byteSize());
            fd.ioctl(Operation.SPAPR_GET_INFO, frame, VFIO_IOMMU_SPAPR_TCE_GET_INFO());
            return decode(info);
        } finally {
            fd.end(frame);
        }
    }

    private static SpaprInfo decode(MemorySegment info) {
        long start = Integer.toUnsignedLong(vfio_iommu_spapr_tce_info.dma32_window_start(info));
        long size = Integer.toUnsignedLong(vfio_iommu_spapr_tce_info.dma32_window_size(info));
        MemorySegment windows = vfio_iommu_spapr_tce_info.ddw(info);
        return new SpaprInfo(
                size == 0 ? Optional.empty() : Optional.of(new IovaRange(start, start + size - 1)),
                (vfio_iommu_spapr_tce_info.flags(info) & VFIO_IOMMU_SPAPR_INFO_DDW()) == 0
                        ? Optional.empty()
                        : Optional.of(new SpaprInfo.DynamicWindows(
                                vfio_iommu_spapr_tce_ddw_info.pgsizes(windows),
                                vfio_iommu_spapr_tce_ddw_info.max_dynamic_windows_supported(windows),
                                vfio_iommu_spapr_tce_ddw_info.levels(windows))));
    }

    @Override
    public void enable() {
        fd.ioctl(Operation.SPAPR_ENABLE, VFIO_IOMMU_ENABLE(), 0);
    }

    @Override
    public void disable() {
        fd.ioctl(Operation.SPAPR_DISABLE, VFIO_IOMMU_DISABLE(), 0);
    }

    @Override
    public void registerMemory(long address, long size) {
        memory(Operation.SPAPR_REGISTER_MEMORY, VFIO_IOMMU_SPAPR_REGISTER_MEMORY(), address, size);
    }

    @Override
    public void unregisterMemory(long address, long size) {
        memory(Operation.SPAPR_UNREGISTER_MEMORY, VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY(), address, size);
    }

    private void memory(Operation operation, int request, long address, long size) {
        Frame frame = fd.begin(operation);
        try {
            MemorySegment memory = zeroed(frame, vfio_iommu_spapr_register_memory.sizeof());
            vfio_iommu_spapr_register_memory.argsz(memory, (int) memory.byteSize());
            vfio_iommu_spapr_register_memory.vaddr(memory, address);
            vfio_iommu_spapr_register_memory.size(memory, size);
            fd.ioctl(operation, frame, request);
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public long createWindow(int pageShift, long size, int levels) {
        Frame frame = fd.begin(Operation.SPAPR_CREATE_WINDOW);
        try {
            MemorySegment window = zeroed(frame, vfio_iommu_spapr_tce_create.sizeof());
            vfio_iommu_spapr_tce_create.argsz(window, (int) window.byteSize());
            vfio_iommu_spapr_tce_create.page_shift(window, pageShift);
            vfio_iommu_spapr_tce_create.window_size(window, size);
            vfio_iommu_spapr_tce_create.levels(window, levels);
            fd.ioctl(Operation.SPAPR_CREATE_WINDOW, frame, VFIO_IOMMU_SPAPR_TCE_CREATE());
            return vfio_iommu_spapr_tce_create.start_addr(window);
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void removeWindow(long start) {
        Frame frame = fd.begin(Operation.SPAPR_REMOVE_WINDOW);
        try {
            MemorySegment window = zeroed(frame, vfio_iommu_spapr_tce_remove.sizeof());
            vfio_iommu_spapr_tce_remove.argsz(window, (int) window.byteSize());
            vfio_iommu_spapr_tce_remove.start_addr(window, start);
            fd.ioctl(Operation.SPAPR_REMOVE_WINDOW, frame, VFIO_IOMMU_SPAPR_TCE_REMOVE());
        } finally {
            fd.end(frame);
        }
    }

    // ---- errors

    @Override
    public void eeh(EehStep step) {
        eeh(number(step), _ -> {});
    }

    private static int number(EehStep step) {
        return switch (step) {
            case DISABLE -> VFIO_EEH_PE_DISABLE();
            case ENABLE -> VFIO_EEH_PE_ENABLE();
            case UNFREEZE_IO -> VFIO_EEH_PE_UNFREEZE_IO();
            case UNFREEZE_DMA -> VFIO_EEH_PE_UNFREEZE_DMA();
            case RESET_DEACTIVATE -> VFIO_EEH_PE_RESET_DEACTIVATE();
            case RESET_HOT -> VFIO_EEH_PE_RESET_HOT();
            case RESET_FUNDAMENTAL -> VFIO_EEH_PE_RESET_FUNDAMENTAL();
            case CONFIGURE -> VFIO_EEH_PE_CONFIGURE();
        };
    }

    @Override
    public PeState peState() {
        int state = eeh(VFIO_EEH_PE_GET_STATE(), _ -> {});
        if (state == VFIO_EEH_PE_STATE_NORMAL()) {
            return PeState.NORMAL;
        } else if (state == VFIO_EEH_PE_STATE_RESET()) {
            return PeState.RESET;
        } else if (state == VFIO_EEH_PE_STATE_STOPPED()) {
            return PeState.STOPPED;
        } else if (state == VFIO_EEH_PE_STATE_STOPPED_DMA()) {
            return PeState.STOPPED_DMA;
        } else if (state == VFIO_EEH_PE_STATE_UNAVAIL()) {
            return PeState.UNAVAILABLE;
        }
        throw Info.broken(Operation.EEH_PE_OP, "a partitionable endpoint has no state " + state);
    }

    @Override
    public void inject(EehError error) {
        eeh(VFIO_EEH_PE_INJECT_ERR(), op -> {
            MemorySegment details = vfio_eeh_pe_op.err(op);
            vfio_eeh_pe_err.type(details, error.width().ordinal()); // EEH_ERR_TYPE_... of asm/eeh.h
            vfio_eeh_pe_err.func(details, error.function().ordinal()); // EEH_ERR_FUNC_...
            vfio_eeh_pe_err.addr(details, error.address());
            vfio_eeh_pe_err.mask(details, error.mask());
        });
    }

    private int eeh(int number, Consumer<MemorySegment> details) {
        Frame frame = fd.begin(Operation.EEH_PE_OP);
        try {
            MemorySegment op = zeroed(frame, vfio_eeh_pe_op.sizeof());
            vfio_eeh_pe_op.argsz(op, (int) op.byteSize());
            vfio_eeh_pe_op.op(op, number);
            details.accept(op);
            return fd.ioctl(Operation.EEH_PE_OP, frame, VFIO_EEH_PE_OP());
        } finally {
            fd.end(frame);
        }
    }

    private static MemorySegment zeroed(Frame frame, long bytes) {
        return frame.arg.asSlice(0, bytes).fill((byte) 0);
    }
}
