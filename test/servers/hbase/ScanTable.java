// HBase's own client as a witness: prints the cells of a table, a line each: "cell", row, column, timestamp, value, with
// tabs between and what is not printable as \xNN. Arguments: table, and for a reversed scan the row to begin at and how
// many rows. Run by scan-table.ts.
import org.apache.hadoop.hbase.Cell;
import org.apache.hadoop.hbase.CellUtil;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.util.Bytes;

class ScanTable {
  public static void main(String[] arguments) throws Exception {
    Scan scan = new Scan();
    if (arguments.length > 1) {
      scan.setReversed(true).withStartRow(Bytes.toBytesBinary(arguments[1])).setLimit(Integer.parseInt(arguments[2]));
    }
    try (var connection = ConnectionFactory.createConnection(HBaseConfiguration.create());
        var table = connection.getTable(TableName.valueOf(arguments[0]));
        var scanner = table.getScanner(scan)) {
      for (Result row : scanner) {
        for (Cell cell : row.rawCells()) System.out.println(lineOf(cell));
      }
    }
  }

  private static String lineOf(Cell cell) {
    String row = Bytes.toStringBinary(CellUtil.cloneRow(cell));
    String family = Bytes.toStringBinary(CellUtil.cloneFamily(cell));
    String qualifier = Bytes.toStringBinary(CellUtil.cloneQualifier(cell));
    String value = Bytes.toStringBinary(CellUtil.cloneValue(cell));
    return String.join("\t", "cell", row, family + ":" + qualifier, "" + cell.getTimestamp(), value);
  }
}
