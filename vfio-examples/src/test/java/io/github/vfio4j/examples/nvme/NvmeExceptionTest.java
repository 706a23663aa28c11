package io.github.vfio4j.examples.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class NvmeExceptionTest {
    @Test
    void aCommandSpecificStatusIsPutIntoWords() {
        NvmeException e = NvmeException.refused("Create I/O Submission Queue", 1 << 14 | 1 << 8 | 0x02);
        assertThat(e).hasMessage("Create I/O Submission Queue failed: Invalid Queue Size"
                + " (status code type 1, command specific; status code 0x02; do not retry)");
        assertThat(e.statusCodeType()).isEqualTo(1);
        assertThat(e.statusCode()).isEqualTo(2);
    }

    @Test
    void aMediaErrorIsPutIntoWords() {
        assertThat(NvmeException.refused("Read", 2 << 8 | 0x81))
                .hasMessage("Read failed: Unrecovered Read Error"
                        + " (status code type 2, media and data integrity; status code 0x81)");
    }

    @Test
    void aStatusWithoutANameKeepsItsNumbers() {
        assertThat(NvmeException.refused("Read", 7 << 8 | 0xfe))
                .hasMessage("Read failed: unknown status (status code type 7, vendor specific; status code 0xfe)");
    }

    @Test
    void whatIsNoStatusHasNone() {
        NvmeException e = new NvmeException(NvmeException.Kind.GONE, "the controller is gone");
        assertThat(e.statusCodeType()).isEqualTo(NvmeException.NONE);
        assertThat(e.statusCode()).isEqualTo(NvmeException.NONE);
    }
}
